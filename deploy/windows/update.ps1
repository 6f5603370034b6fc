<#
.SYNOPSIS
  Replaces the program by a new one, and goes back to the old one when the new one doesn't get ready.
.EXAMPLE
  .\update.ps1 -NewProgram .\xoauth2-proxy-windows-x64.exe -Sha256Sums .\SHA256SUMS
#>
#Requires -RunAsAdministrator
[CmdletBinding()]
param(
  [Parameter(Mandatory)][string]$NewProgram,
  # The release's checksums, lines "digest  name". Without the new program's name and digest the update is refused.
  [Parameter(Mandatory)][string]$Sha256Sums,
  [string]$TaskName = 'xoauth2-proxy',
  [string]$ReadyUrl = 'http://127.0.0.1:9090/readyz',
  [int]$TimeoutSeconds = 30
)
Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'

function Wait-Ready {
  $deadline = (Get-Date).AddSeconds($TimeoutSeconds)
  while ((Get-Date) -lt $deadline) {
    try {
      if ((Invoke-WebRequest -UseBasicParsing -TimeoutSec 2 -Uri $ReadyUrl).StatusCode -eq 200) { return $true }
    } catch {
      Write-Verbose "Not ready yet: $_"
    }
    Start-Sleep -Milliseconds 250
  }
  return $false
}

$name = Split-Path -Leaf $NewProgram
$digest = Get-Content -LiteralPath $Sha256Sums | ForEach-Object {
  if ($_ -match '^(?<digest>[0-9a-f]{64})  (?<name>.+)$' -and $Matches.name -eq $name) { $Matches.digest }
} | Select-Object -First 1
if (-not $digest) { throw "Cannot update: '$Sha256Sums' has no line for $name; keep the name of the release" }
if ((Get-FileHash -Algorithm SHA256 -LiteralPath $NewProgram).Hash -ne $digest) {
  throw "Cannot update: the checksum of '$NewProgram' is another one; download it again"
}
$program = (Get-ScheduledTask -TaskName $TaskName).Actions[0].Execute
$old = "$program.old"
$stop = Join-Path $PSScriptRoot 'stop.ps1'

# Everything that can go wrong without a stop comes first.
& $NewProgram check
if ($LASTEXITCODE -ne 0) { throw "Cannot update: the new program's 'check' ended with $LASTEXITCODE, see above" }
& $stop -TaskName $TaskName
Move-Item -Force -LiteralPath $program -Destination $old
Copy-Item -LiteralPath $NewProgram -Destination $program
Start-ScheduledTask -TaskName $TaskName
if (Wait-Ready) {
  Write-Output "Updated '$TaskName'; the old program is kept at $old"
  return
}
& $stop -TaskName $TaskName
Move-Item -Force -LiteralPath $old -Destination $program
Start-ScheduledTask -TaskName $TaskName
throw "The new program was not ready after $TimeoutSeconds s; the old one runs again. See the log for the reason"
