# Puts a test certificate where Windows looks for those that it trusts, and looks at the signatures of files signed with it then.
#
# A store or a signature that is refused is a warning and no error: what the installation then says of it is worth having.
param(
    [Parameter(Mandatory)] [string] $Certificate,
    [Parameter(Mandatory)] [string[]] $Signed
)
$ErrorActionPreference = 'Stop'

$refused = @()
# Where no publisher was ever trusted the store's key is missing, and the import ends with "Access is denied".
$publishers = 'HKLM:\SOFTWARE\Microsoft\SystemCertificates\TrustedPublisher'
foreach ($store in 'Root', 'TrustedPublisher') {
    try {
        if ($store -eq 'TrustedPublisher' -and -not (Test-Path $publishers)) {
            New-Item -Path $publishers -Force | Out-Null
        }
        $added = Import-Certificate -FilePath $Certificate -CertStoreLocation "Cert:\LocalMachine\$store"
        Write-Output "${store}: $($added.Subject), $($added.Thumbprint)"
    } catch {
        Write-Output "${store}: $_"
        $refused += $store
    }
}

foreach ($file in $Signed) {
    $signature = Get-AuthenticodeSignature -FilePath $file
    Write-Output "${file}: $($signature.Status) ($($signature.SignatureType)): $($signature.StatusMessage)"
    if ($signature.Status -ne 'Valid') {
        $refused += $file
    }
}
if ($refused.Count -ne 0) {
    Write-Output "::warning::NOT trusted: Windows refuses $($refused -join ', ')."
}
exit 0
