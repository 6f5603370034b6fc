<#
.SYNOPSIS
  Stops xoauth2-proxy and takes it out of the Task Scheduler. Settings, accounts and log stay unless -RemoveData is given.
.EXAMPLE
  .\unregister.ps1
#>
#Requires -RunAsAdministrator
[CmdletBinding()]
param(
  [string]$TaskName = 'xoauth2-proxy',
  # Removes %ProgramData%\xoauth2-proxy too, refresh tokens included.
  [switch]$RemoveData
)
Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'

& (Join-Path $PSScriptRoot 'stop.ps1') -TaskName $TaskName -Disable
Unregister-ScheduledTask -TaskName $TaskName -Confirm:$false
if ($RemoveData) { Remove-Item -Recurse -Force -LiteralPath (Join-Path $env:ProgramData 'xoauth2-proxy') }
Write-Output "Unregistered '$TaskName'"
