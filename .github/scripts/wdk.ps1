# Installs a WDK of NuGet, and leaves its place in the variables that wdk-build 0.6 reads: in the environment of this PowerShell, which
# has to be the one that builds then, and on a hosted machine in that of the steps that follow. The tools are those of this machine,
# which is x64; headers and libraries are those of the architecture that is built for. It needs nuget.exe
# (https://learn.microsoft.com/nuget/install-nuget-client-tools) and Visual Studio's linker.
#
# https://learn.microsoft.com/windows-hardware/drivers/install-the-wdk-using-nuget
param(
    [Parameter(Mandatory)] [string] $Version,
    [ValidateSet('x64', 'ARM64')] [string] $Architecture = 'x64',
    [string] $Into = 'C:\packages'
)
$ErrorActionPreference = 'Stop'

$packages = @(
    'Microsoft.Windows.SDK.CPP'
    'Microsoft.Windows.WDK.x64'
    "Microsoft.Windows.SDK.CPP.$Architecture"
    "Microsoft.Windows.WDK.$Architecture"
)
foreach ($package in $packages | Select-Object -Unique) {
    nuget install $package -Version $Version -OutputDirectory $Into -NonInteractive -Verbosity quiet
    if ($LASTEXITCODE -ne 0) {
        Write-Output "::error::nuget can't install $package $Version"
        exit 1
    }
}

$tools = "$Into\Microsoft.Windows.WDK.x64.$Version\c"
$kit = "$Into\Microsoft.Windows.WDK.$Architecture.$Version\c"
$sdk = "$Into\Microsoft.Windows.SDK.CPP.$Version\c"
# Headers and libraries lie below a folder of three numbers and a zero.
$release = (($Version -split '\.')[0..2] -join '.') + '.0'
$folders = @(
    "$kit\Include\$release\km"
    "$kit\Lib\$release\km\$Architecture"
    "$tools\bin\$release\x64"
    "$sdk\bin\$release\x64"
)
foreach ($folder in $folders) {
    if (-not (Test-Path $folder)) {
        Write-Output "::error::The packages have no $folder"
        exit 1
    }
}
$variables = @(
    "WDKContentRoot=$kit"
    "Version_Number=$release"
    "WDKBinRoot=$tools\bin\$release"
    "WDKToolRoot=$tools\tools\$release"
    "WindowsSdkBinPath=$sdk\bin"
    'LIBCLANG_PATH=C:\Program Files\LLVM\bin'
)
Write-Output $variables
foreach ($variable in $variables) {
    $name, $value = $variable -split '=', 2
    Set-Item -Path "Env:$name" -Value $value
}
if ($env:GITHUB_ENV) {
    $variables | Out-File -FilePath $env:GITHUB_ENV -Encoding utf8 -Append
}
