<#
.SYNOPSIS
  Stops xoauth2-proxy cleanly: messages under way are relayed to their end.
.DESCRIPTION
  Run as administrator. "End" in the Task Scheduler, and `schtasks /End`, kill the process without a word; this asks it to
  stop first, and ends the task only when that was in vain.
.EXAMPLE
  .\stop.ps1
#>
#Requires -RunAsAdministrator
[CmdletBinding()]
param(
  [string]$TaskName = 'xoauth2-proxy',
  # Seconds until the task is ended by force; more than --shutdown-timeout.
  [int]$TimeoutSeconds = 15,
  # Leaves the task disabled, so that it doesn't start at the next boot.
  [switch]$Disable
)
Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'

$task = Get-ScheduledTask -TaskName $TaskName
$program = $task.Actions[0].Execute
# A drain that had to cut something off exits with 75; the Task Scheduler would take that for a failure and restart it.
Disable-ScheduledTask -TaskName $TaskName | Out-Null
try {
  if ($task.State -eq 'Running') {
    & $program stop
    if ($LASTEXITCODE -ne 0) { Write-Warning "'stop' ended with $LASTEXITCODE; waiting $TimeoutSeconds s for the process" }
    $deadline = (Get-Date).AddSeconds($TimeoutSeconds)
    while ((Get-ScheduledTask -TaskName $TaskName).State -eq 'Running' -and (Get-Date) -lt $deadline) {
      Start-Sleep -Milliseconds 100
    }
  }
  if ((Get-ScheduledTask -TaskName $TaskName).State -eq 'Running') {
    Write-Warning "The process did not end in $TimeoutSeconds s and is ended by force: messages under way are cut off"
    Stop-ScheduledTask -TaskName $TaskName
  }
} finally {
  if (-not $Disable) { Enable-ScheduledTask -TaskName $TaskName | Out-Null }
}
Write-Output "Stopped '$TaskName'"
