# Says what this machine is, and ends with an error where it does not load test-signed drivers.
#
# The images of the hosted machines switch test signing on when they are made, by `bcdedit.exe /set TESTSIGNING ON`: windows-2022
# since actions/runner-images#4098 and #4296, windows-2025 in images/windows/templates/build.windows-2025.pkr.hcl of the same
# repository. To switch it on takes a restart, which a hosted machine does not survive: so where it is off, this is the end.
$ErrorActionPreference = 'Stop'

$system = Get-ItemProperty 'HKLM:\SOFTWARE\Microsoft\Windows NT\CurrentVersion'
Write-Output "$($system.ProductName), build $($system.CurrentBuildNumber).$($system.UBR)"

# The options that the loader has started this kernel with, and not those of the next start, which bcdedit shows.
$options = (Get-ItemProperty 'HKLM:\SYSTEM\CurrentControlSet\Control').SystemStartOptions
Write-Output "started with: $options"

try { $secure = Confirm-SecureBootUEFI } catch { $secure = 'no UEFI' }
Write-Output "Secure Boot: $secure"

$guard = Get-CimInstance -Namespace root\Microsoft\Windows\DeviceGuard -ClassName Win32_DeviceGuard -ErrorAction SilentlyContinue
# 2 is hypervisor-enforced code integrity, which is also called memory integrity.
$integrity = $null -ne $guard -and $guard.SecurityServicesRunning -contains 2
Write-Output "memory integrity: $integrity"

if ($options -notmatch '\bTESTSIGNING\b') {
    Write-Output '::error::Test signing is off on this image, and it takes a restart to switch it on: nothing can be shown here.'
    exit 1
}
if ($integrity) {
    Write-Output '::warning::Memory integrity is on: if the drivers are refused, look for event 3004 or 3033 of CodeIntegrity.'
}
