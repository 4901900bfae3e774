# Installs the MSI, upgrades it by itself, has an ordinary user begin a repair, and removes it. For a hosted Windows; nobody has
# run it yet.
param([Parameter(Mandatory)][string]$Msi)
$ErrorActionPreference = 'Stop'

function Invoke-Installer([string[]]$Arguments, [int[]]$Expected = @(0)) {
    $ended = Start-Process msiexec.exe -ArgumentList $Arguments -Wait -PassThru
    if ($Expected -notcontains $ended.ExitCode) { throw "msiexec $Arguments ended with $($ended.ExitCode)" }
}
function Get-Command-Line { (Get-CimInstance Win32_Service -Filter "Name='concierge-ga'").PathName }

# A runner has no port of virtio-serial: the service waits for it, as it does in a machine whose driver comes later.
Invoke-Installer @('/i', "`"$Msi`"", '/qn', 'OPTIONS=--method=isa-serial --path=COM9')
if ((Get-Service concierge-ga).Status -ne 'Running') { throw 'the service does not run' }
$line = Get-Command-Line
if ($line -notmatch '^"' -or $line -notmatch 'COM9') { throw "the command line is $line" }
if (-not (vssadmin list providers | Select-String 'Concierge VSS Provider')) { throw 'the provider is not registered' }

Invoke-Installer @('/i', "`"$Msi`"", '/qn', 'REINSTALL=ALL', 'REINSTALLMODE=vomus')
if ((Get-Command-Line) -ne $line) { throw 'an installation over itself changed the command line' }

# An ordinary user may begin a repair, and it must change nothing but files.
$password = ConvertTo-SecureString ([guid]::NewGuid().ToString() + 'aA1!') -AsPlainText -Force
New-LocalUser -Name concierge-other -Password $password | Out-Null
try {
    $credential = [pscredential]::new('concierge-other', $password)
    Start-Process msiexec.exe -ArgumentList '/fa', "`"$Msi`"", '/qn', 'OPTIONS=--evil' -Credential $credential -Wait -WorkingDirectory C:\
    if ((Get-Command-Line) -ne $line) { throw 'a repair by another user changed the command line' }
} finally {
    Remove-LocalUser concierge-other
}

& "$env:ProgramFiles\Concierge\concierge-ga.exe" "$env:ProgramFiles\Concierge\app\concierge-ga.cjs" doctor --self-test --json | Set-Content "report-msi-$env:ImageOS.json"

Invoke-Installer @('/x', "`"$Msi`"", '/qn')
if (Get-Service concierge-ga -ErrorAction SilentlyContinue) { throw 'the service is left' }
if (vssadmin list providers | Select-String 'Concierge VSS Provider') { throw 'the provider is left' }
