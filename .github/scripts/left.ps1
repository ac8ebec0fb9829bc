# Sees that no device, service or driver package of softndk is left.
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
if ($left.Count -ne 0) {
    $left | ForEach-Object { Write-Output "::error::left: $_" }
    exit 1
}
Write-Output 'nothing is left'
