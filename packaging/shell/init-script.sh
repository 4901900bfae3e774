# SPDX-License-Identifier: Apache-2.0
# For the postinst of Debian alone: nobody else may call update-rc.d.

# Debian's qemu-guest-agent leaves its init script behind until it is purged, and that script would start ours, by the name
# of its program. Without links it does not; they are made again when that package is installed again.
take_init_script() {
	if [ -e /etc/init.d/qemu-guest-agent ] && ! systemd_runs; then update-rc.d -f qemu-guest-agent remove >/dev/null; fi
	if [ ! -x "$init_script" ]; then return 0; fi
	update-rc.d concierge-ga defaults >/dev/null
	# A restart, but under a keeper, which is not stopped: this very script may run through the agent.
	if sysvinit_runs; then invoke-rc.d concierge-ga force-reload || :; fi
}
