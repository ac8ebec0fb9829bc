# Sees that no device, service, driver package or trace session of softndk is left.
$ErrorActionPreference = 'Stop'

$left = @()
$left += Get-PnpDevice -PresentOnly -ErrorAction SilentlyContinue |
    Where-Object { $_.HardwareID -contains 'Root\softndk' } |
    ForEach-Object { "device $($_.InstanceId), $($_.Status)" }
$left += Get-CimInstance -ClassName Win32_SystemDriver -Filter "Name = 'softndk' OR Name = 'ndkhlk'" |
    Where-Object { $_.State -ne 'Stopped' } |
    ForEach-Object { "driver $($_.Name), $($_.State)" }
$left += Get-WindowsDriver -Online |
    Where-Object { $_.OriginalFileName -match '\\(softndk|ndkhlk)\.inf$' } |
    ForEach-Object { "package $($_.Driver)" }
# That there is none is an exit code, and no error.
$PSNativeCommandUseErrorActionPreference = $false
logman query softndk -ets | Out-Null
if ($LASTEXITCODE -eq 0) { $left += 'trace session softndk' }
if ($left.Count -ne 0) {
    $left | ForEach-Object { Write-Output "::error::left: $_" }
    exit 1
}
Write-Output 'nothing is left'
exit 0
