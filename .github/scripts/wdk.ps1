# Installs a WDK of NuGet, and leaves its place in the variables that wdk-build 0.6 reads.
#
# https://learn.microsoft.com/windows-hardware/drivers/install-the-wdk-using-nuget
param(
    [Parameter(Mandatory)] [string] $Version,
    [string] $Into = 'C:\packages'
)
$ErrorActionPreference = 'Stop'

foreach ($package in 'Microsoft.Windows.SDK.CPP', 'Microsoft.Windows.SDK.CPP.x64', 'Microsoft.Windows.WDK.x64') {
    nuget install $package -Version $Version -OutputDirectory $Into -NonInteractive -Verbosity quiet
    if ($LASTEXITCODE -ne 0) {
        Write-Output "::error::nuget can't install $package $Version"
        exit 1
    }
}

$kit = "$Into\Microsoft.Windows.WDK.x64.$Version\c"
$sdk = "$Into\Microsoft.Windows.SDK.CPP.$Version\c"
# Headers and libraries lie below a folder of three numbers and a zero.
$release = (($Version -split '\.')[0..2] -join '.') + '.0'
foreach ($folder in "$kit\Include\$release\km", "$kit\Lib\$release\km\x64", "$kit\bin\$release\x64", "$sdk\bin\$release\x64") {
    if (-not (Test-Path $folder)) {
        Write-Output "::error::The packages have no $folder"
        exit 1
    }
}
$variables = @(
    "WDKContentRoot=$kit"
    "Version_Number=$release"
    "WDKBinRoot=$kit\bin\$release"
    "WDKToolRoot=$kit\tools\$release"
    "WindowsSdkBinPath=$sdk\bin"
    'LIBCLANG_PATH=C:\Program Files\LLVM\bin'
)
Write-Output $variables
if ($env:GITHUB_ENV) {
    $variables | Out-File -FilePath $env:GITHUB_ENV -Encoding utf8 -Append
}
