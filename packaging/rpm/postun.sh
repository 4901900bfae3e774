# SPDX-License-Identifier: Apache-2.0
@PLACES@
@include shell/service.sh
if [ "$1" -eq 0 ]; then
	rm -f /etc/systemd/system/multi-user.target.wants/concierge-ga-channel.service
	forget_state
	give_back
fi
