# SPDX-License-Identifier: Apache-2.0
@PLACES@
@include shell/service.sh
# Here, because a qemu-guest-agent that this package takes the place of is still there, with its settings.
if [ "$1" -eq 1 ]; then adopt_configuration; fi
