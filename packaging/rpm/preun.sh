# SPDX-License-Identifier: Apache-2.0
@PLACES@
@include shell/service.sh
if [ "$1" -eq 0 ]; then
	stop_serving
	release_name
fi
