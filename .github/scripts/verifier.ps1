# Switches Driver Verifier on for drivers that are not loaded yet, without a restart, and shows what it then checks.
#
# Which checks can be had so depends on the build (https://learn.microsoft.com/windows-hardware/drivers/devtest/using-volatile-settings):
# before Windows 11 all standard ones but DDI compliance, from Windows 11 on a few. An exit code of 0 is no proof: on some builds
# the flags stay 0 after it. So each set is tried in turn, and what `verifier /query` says of it counts. Where none is on, the drivers
# are worth running all the same: the script warns that the run is NOT verified, and ends without an error.
param([Parameter(Mandatory)] [string[]] $Driver)
$ErrorActionPreference = 'Stop'

# The checks that are on, as flags. Each line of flags counts; with no such line none is on.
function Get-Checks([string] $State) {
    $checks = 0
    foreach ($line in [regex]::Matches($State, '(?im)^\s*Verifier (?:Volatile )?Flags:\s*0x([0-9a-f]+)')) {
        $checks = $checks -bor [Convert]::ToInt64($line.Groups[1].Value, 16)
    }
    $checks
}

verifier /volatile /adddriver @Driver | Write-Output
Write-Output "adding $($Driver -join ', '): exit code $LASTEXITCODE"

# 0x9BB: special pool, IRQL, pool tracking, I/O, deadlocks, DMA, security, miscellaneous. 0x6A0: deadlocks, DMA, pending I/O,
# log of IRPs. 0x600: the last two. The rule classes 1, 4, 5, 9 and 12 are the flags 0x919.
$sets = @(
    @{ Flags = 0x9BB; Arguments = @('/volatile', '/flags', '0x9BB') }
    @{ Flags = 0x6A0; Arguments = @('/volatile', '/flags', '0x6A0') }
    @{ Flags = 0x600; Arguments = @('/volatile', '/flags', '0x600') }
    @{ Flags = 0x919; Arguments = @('/dif', '1', '4', '5', '9', '12', '/now', '/driver') + $Driver }
)
# A check that nothing here asks for, as the bits of DIF mode, is no sign that a set was taken.
$asked = 0xFBB
$checks = 0
foreach ($set in $sets) {
    verifier @($set.Arguments) | Write-Output
    $code = $LASTEXITCODE
    $state = verifier /query | Out-String
    $checks = (Get-Checks $state) -band $asked
    Write-Output ('{0}: exit code {1}, on are 0x{2:X}' -f ($set.Arguments -join ' '), $code, $checks)
    if (($checks -band $set.Flags) -eq $set.Flags) {
        break
    }
}

Write-Output $state
$missing = @($Driver | Where-Object { $state -notmatch [regex]::Escape($_) })
if ($checks -eq 0 -or $missing.Count -ne 0) {
    Write-Output '::warning::NOT verified: Driver Verifier can not be switched on for the drivers without a restart here.'
    exit 0
}
Write-Output ('::notice::Driver Verifier checks {0} with flags 0x{1:X}' -f ($Driver -join ', '), $checks)
exit 0
