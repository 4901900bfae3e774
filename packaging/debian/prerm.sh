#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
set -e
@PLACES@
@include shell/service.sh
# An upgrade goes on with the old agent until the new one is there; being restarted, it thaws what is frozen.
if [ "$1" = remove ]; then
	stop_serving
	stop_init_script
	release_name
fi
