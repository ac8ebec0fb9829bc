# Has InfVerif of the WDK that wdk.ps1 has installed judge an INF, by the rules of a Windows driver.
param([Parameter(Mandatory)] [string] $Inf)
$ErrorActionPreference = 'Stop'

$tool = Get-ChildItem -Path "$env:WDKToolRoot\x64", "$env:WDKContentRoot\tools" -Filter infverif.exe -Recurse -ErrorAction SilentlyContinue |
    Select-Object -First 1
if ($null -eq $tool) {
    Write-Output '::error::This WDK has no infverif.exe'
    exit 1
}
& $tool.FullName /v /w $Inf
exit $LASTEXITCODE
