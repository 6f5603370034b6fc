<#
.SYNOPSIS
  Registers xoauth2-proxy with the Task Scheduler: started at boot, restarted when it fails.
.DESCRIPTION
  Run as administrator. The program runs as LOCAL SERVICE, keeps settings, accounts, state and log below
  %ProgramData%\xoauth2-proxy, and lets nobody else but SYSTEM and administrators in there.
.EXAMPLE
  .\register.ps1 -Program 'C:\Program Files\xoauth2-proxy\xoauth2-proxy.exe'
#>
#Requires -RunAsAdministrator
[CmdletBinding()]
param(
  [string]$Program = (Join-Path $env:ProgramFiles 'xoauth2-proxy\xoauth2-proxy.exe'),
  [string]$TaskName = 'xoauth2-proxy'
)
Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'

if (-not (Test-Path -LiteralPath $Program -PathType Leaf)) {
  throw "Cannot register: there is no program at '$Program'; copy it there or name it with -Program"
}

# Refresh tokens and the admin token lie here. S-1-5-19: LOCAL SERVICE, S-1-5-18: SYSTEM, S-1-5-32-544: administrators;
# by number, because the names differ from one language of Windows to another.
$data = Join-Path $env:ProgramData 'xoauth2-proxy'
New-Item -ItemType Directory -Force -Path $data, (Join-Path $data 'log'), (Join-Path $data 'state') | Out-Null
& icacls.exe $data /inheritance:r /grant '*S-1-5-19:(OI)(CI)M' '*S-1-5-18:(OI)(CI)F' '*S-1-5-32-544:(OI)(CI)F' | Out-Null
if ($LASTEXITCODE -ne 0) { throw "Cannot protect '$data': icacls ended with $LASTEXITCODE" }

# A check that fails now would fail at every boot.
& $Program check
if ($LASTEXITCODE -ne 0) { throw "Cannot register: 'check' ended with $LASTEXITCODE, see above for what to mend" }

$log = Join-Path $data 'log\xoauth2-proxy.log'
$action = New-ScheduledTaskAction -Execute $Program -WorkingDirectory $data `
  -Argument "start --config `"$data\config.json`" --accounts `"$data\accounts.json`" --log-file `"$log`""
$trigger = New-ScheduledTaskTrigger -AtStartup
$principal = New-ScheduledTaskPrincipal -UserId 'S-1-5-19' -LogonType ServiceAccount
# Without ExecutionTimeLimit zero the Task Scheduler ends every task after three days.
$settings = New-ScheduledTaskSettingsSet -ExecutionTimeLimit ([TimeSpan]::Zero) -MultipleInstances IgnoreNew `
  -RestartCount 999 -RestartInterval (New-TimeSpan -Minutes 1) -AllowStartIfOnBatteries -DontStopIfGoingOnBatteries
Register-ScheduledTask -TaskName $TaskName -Action $action -Trigger $trigger -Principal $principal -Settings $settings `
  -Description 'XOAUTH2 SMTP submission proxy. Stop it with stop.ps1: ending the task cuts messages off.' -Force | Out-Null
Start-ScheduledTask -TaskName $TaskName
Write-Output "Registered and started '$TaskName'; log: $log"
