# SPDX-License-Identifier: Apache-2.0
@PLACES@
@include shell/service.sh
# Now a qemu-guest-agent of old is gone: its scripts would have stopped whatever had its name.
stop_other_agent
take_name
serve
