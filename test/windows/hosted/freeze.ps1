# Freezes and thaws a volume of its own, a VHDX, over the real VSS. For a hosted Windows; nobody has run it yet.
param([Parameter(Mandatory)][string]$Zip)
$ErrorActionPreference = 'Stop'

# Below Program Files, where nobody else can write: `vss install` refuses other places.
$program = Join-Path $env:ProgramFiles 'Concierge-test'
$disk = Join-Path $env:RUNNER_TEMP 'concierge.vhdx'
Expand-Archive $Zip $program -Force
$agent = (Get-ChildItem $program -Recurse -Filter concierge-ga.exe).FullName
$main = (Get-ChildItem $program -Recurse -Filter concierge-ga.cjs).FullName

"create vdisk file=`"$disk`" maximum=256 type=expandable`nselect vdisk file=`"$disk`"`nattach vdisk`ncreate partition primary`nformat fs=ntfs quick`nassign letter=V" | diskpart
try {
    & $agent $main vss install
    if ($LASTEXITCODE -ne 0) { throw 'vss install failed' }
    & $agent $main doctor --self-test --json 'V:\' | Tee-Object "report-freeze-$env:ImageOS.json"
    if ($LASTEXITCODE -ne 0) { throw 'the freeze failed' }
    & $agent $main vss uninstall
} finally {
    "select vdisk file=`"$disk`"`ndetach vdisk" | diskpart
}
