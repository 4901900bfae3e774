#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
set -e
@PLACES@
@include shell/service.sh
@include shell/init-script.sh
case $1 in
	configure | abort-remove | abort-deconfigure | abort-upgrade)
		# A file that an administrator has removed does not come back with an upgrade.
		if [ "$1" = configure ] && [ -z "$2" ]; then adopt_configuration; fi
		# Also after a removal without purge, when another agent may have come in between.
		stop_other_agent
		take_name
		serve
		take_init_script
		;;
esac
