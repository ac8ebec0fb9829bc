# Switches Driver Verifier on for drivers that are not loaded yet, without a restart, and shows what it then checks.
#
# Which checks can be had so depends on the build (https://learn.microsoft.com/windows-hardware/drivers/devtest/using-volatile-settings):
# before Windows 11 all standard ones but DDI compliance, from Windows 11 on a few. So the largest set that is taken is used. A
# driver can be added while no check is on; that is no verification, and is told as an error.
param([Parameter(Mandatory)] [string[]] $Driver)
$ErrorActionPreference = 'Stop'

# 0x9BB: special pool, IRQL, pool tracking, I/O, deadlocks, DMA, security, miscellaneous. 0x6A0: deadlocks, DMA, pending I/O,
# log of IRPs. 0x600: the last two.
$taken = $null
foreach ($flags in '0x9BB', '0x6A0', '0x600') {
    verifier /volatile /flags $flags | Write-Output
    if ($LASTEXITCODE -eq 0) {
        $taken = $flags
        break
    }
    Write-Output "$flags is refused ($LASTEXITCODE)"
}
verifier /volatile /adddriver @Driver | Write-Output

$state = verifier /query | Out-String
Write-Output $state
$on = [regex]::Match($state, '(?im)^\s*Verifier (?:Volatile )?Flags:\s*0x([0-9a-f]+)')
$checks = if ($on.Success) { [Convert]::ToInt64($on.Groups[1].Value, 16) } else { 0 }
$missing = @($Driver | Where-Object { $state -notmatch [regex]::Escape($_) })
if ($null -eq $taken -or $checks -eq 0 -or $missing.Count -ne 0) {
    Write-Output '::error::Driver Verifier is not on for the drivers without a restart.'
    exit 1
}
Write-Output "::notice::Driver Verifier checks $($Driver -join ', ') with flags $taken"
exit 0
