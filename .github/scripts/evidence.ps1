# Copies what tells of a run: the runner's reports and archives, dumps, the log of the installation, the events of the drivers.
param(
    [Parameter(Mandatory)] [string] $Into,
    [Parameter(Mandatory)] [string] $From
)
$ErrorActionPreference = 'Continue'

New-Item -ItemType Directory -Force -Path $Into | Out-Null
$files = @(
    "$From\*.zip", "$From\*.xml", "$From\*.json", "$From\*.tap", "$From\*.log", "$From\*.etl"
    "$env:SystemRoot\MEMORY.DMP"
    "$env:SystemRoot\Minidump\*.dmp"
    "$env:SystemRoot\LiveKernelReports\*.dmp"
    "$env:SystemRoot\INF\setupapi.dev.log"
)
foreach ($pattern in $files) {
    Copy-Item -Path $pattern -Destination $Into -ErrorAction SilentlyContinue
}
foreach ($log in 'System', 'Microsoft-Windows-CodeIntegrity/Operational', 'Microsoft-Windows-SMBServer/Operational') {
    $name = $log -replace '[^A-Za-z]', '-'
    wevtutil epl $log "$Into\$name.evtx" /ow:true
}
Get-ChildItem -Path $Into | Select-Object -Property Length, Name | Format-Table | Out-String | Write-Output
exit 0
