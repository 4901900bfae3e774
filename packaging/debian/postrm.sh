#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
set -e
@PLACES@
@include shell/service.sh
case $1 in
	remove)
		forget_state
		give_back
		give_back_later
		;;
	purge)
		forget_state
		rm -rf "$etc"
		update-rc.d concierge-ga remove >/dev/null
		rm -f /etc/systemd/system/multi-user.target.wants/concierge-ga-channel.service
		;;
esac
