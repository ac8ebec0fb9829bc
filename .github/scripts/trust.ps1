# Puts a test certificate where Windows looks for those that it trusts, and sees that files signed with it are valid then.
param(
    [Parameter(Mandatory)] [string] $Certificate,
    [Parameter(Mandatory)] [string[]] $Signed
)
$ErrorActionPreference = 'Stop'

# Where no publisher was ever trusted the store's key is missing, and the import ends with "Access is denied".
$publishers = 'HKLM:\SOFTWARE\Microsoft\SystemCertificates\TrustedPublisher'
if (-not (Test-Path $publishers)) {
    New-Item -Path $publishers -Force | Out-Null
}
foreach ($store in 'Root', 'TrustedPublisher') {
    $added = Import-Certificate -FilePath $Certificate -CertStoreLocation "Cert:\LocalMachine\$store"
    Write-Output "${store}: $($added.Subject), $($added.Thumbprint)"
}

$refused = 0
foreach ($file in $Signed) {
    $signature = Get-AuthenticodeSignature -FilePath $file
    Write-Output "${file}: $($signature.Status) ($($signature.SignatureType)): $($signature.StatusMessage)"
    if ($signature.Status -ne 'Valid') {
        $refused++
    }
}
if ($refused -ne 0) {
    Write-Output "::error::Windows refuses $refused of the signatures."
    exit 1
}
