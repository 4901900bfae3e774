# SPDX-License-Identifier: Apache-2.0
@COMMON@
if [ "$1" -eq 0 ]; then
	stop_serving
	release_name
fi
