# SPDX-License-Identifier: Apache-2.0
# Shared by the scripts of every package: each of them has this text in it, because it also runs where the package's own
# files are not there yet or not there any more.

port=/dev/virtio-ports/org.qemu.guest_agent.0
# The name under which everybody knows the service: a link beside our units, for systemctl follows it there. In /etc it
# takes the link for configuration, and `systemctl enable` and `disable` of that name end with an error.
known_as=$units/qemu-guest-agent.service
# Where the link was in earlier versions, and where it has to be if somebody else's unit has that name beside ours.
configured_as=/etc/systemd/system/qemu-guest-agent.service
init_script=/etc/init.d/concierge-ga
# Where qemu-ga notes that it has frozen something.
foreign_marker=/run/qga.state.isfrozen

# Only systemd that runs can be told anything; in a chroot and in the making of an image there is none.
systemd_runs() {
	[ -z "${DPKG_ROOT:-}" ] && [ -d /run/systemd/system ]
}

# On Debian policy-rc.d may forbid what is about to be done. (deb-systemd-invoke asks it too, but starts no unit that is not
# enabled; this one is started by udev.)
service() {
	if permitted "$1" "$2"; then systemctl "$@"; fi
}

permitted() {
	[ -x /usr/sbin/policy-rc.d ] || return 0
	allowed=0
	/usr/sbin/policy-rc.d "${2%.service}" "$1" >/dev/null 2>&1 || allowed=$?
	[ "$allowed" -ne 101 ]
}

# Whether a link leads to our unit. An administrator's own unit or mask of that name does not.
leads_to_ours() {
	case $(readlink "$1" 2>/dev/null) in
		concierge-ga.service | */concierge-ga.service) return 0 ;;
	esac
	return 1
}

# What is in /etc comes first.
is_known_as_ours() {
	if [ -e "$configured_as" ] || [ -L "$configured_as" ]; then
		leads_to_ours "$configured_as"
	else
		leads_to_ours "$known_as"
	fi
}

# Ends a qemu-ga that runs, whatever started it, so that the port is free. One that has frozen something ignores SIGTERM
# until it is thawed: it is killed, and what it froze is thawed for it.
stop_other_agent() {
	if systemd_runs && ! is_known_as_ours && systemctl --quiet is-active qemu-guest-agent.service 2>/dev/null; then
		if [ -e "$foreign_marker" ]; then
			systemctl --no-block stop qemu-guest-agent.service || :
			systemctl --signal=KILL kill qemu-guest-agent.service || :
		fi
		systemctl stop qemu-guest-agent.service || :
	elif command -v rc-service >/dev/null 2>&1 && [ -e /run/openrc/softlevel ]; then
		rc-service --ifstarted qemu-guest-agent stop || :
	fi
	if [ -e "$foreign_marker" ]; then
		"$agent" thaw --statedir=/run || echo "concierge-ga: what qemu-ga had frozen could not all be thawed" >&2
	fi
}

# Makes ours the service that is known as qemu-guest-agent. No package has this link among its files: on systems with a
# merged /usr, dpkg would remove it together with Debian's unit, which has the same name below /lib.
take_name() {
	if leads_to_ours "$configured_as"; then rm -f "$configured_as"; fi
	if [ -e "$configured_as" ] || [ -L "$configured_as" ]; then return 0; fi
	if [ ! -e "$known_as" ] && [ ! -L "$known_as" ]; then
		ln -s concierge-ga.service "$known_as"
	elif ! leads_to_ours "$known_as"; then
		mkdir -p "${configured_as%/*}"
		ln -s "$units/concierge-ga.service" "$configured_as"
	fi
}

release_name() {
	if leads_to_ours "$known_as"; then rm -f "$known_as"; fi
	if leads_to_ours "$configured_as"; then rm -f "$configured_as"; fi
}

reload_rules() {
	systemctl daemon-reload || :
	if command -v udevadm >/dev/null 2>&1; then udevadm control --reload || :; fi
}

# Whether the process of a service is a keeper: another drop-in may start the agent without one.
has_keeper() {
	main=$(systemctl show "$1" --property=MainPID 2>/dev/null) && read -r name <"/proc/${main#*=}/comm" && [ "$name" = concierge-keepe ]
}

# Under a keeper (keeper.conf) a running service is not stopped: the keeper takes over from itself, and this very script may run
# through the agent.
renew() {
	if systemctl show "$1" --property=ExecReload 2>/dev/null | grep -q -e '-USR2' && systemctl --quiet is-active "$1" && has_keeper "$1"; then
		service reload "$1" || :
	else
		service restart "$1" || :
	fi
}

# Starts the agent, or the new one in the place of the old, which thaws what it has frozen. Without the port there is
# nothing to start: systemd would wait 90 seconds for it. Whoever uses another channel has enabled its unit.
serve() {
	systemd_runs || return 0
	reload_rules
	if systemctl --quiet is-active concierge-ga-channel.service; then
		renew concierge-ga-channel.service
	elif [ -e "$port" ]; then
		renew concierge-ga.service
	fi
}

stop_serving() {
	systemd_runs || return 0
	service stop concierge-ga.service concierge-ga-channel.service || :
}

# The init script of Debian's package, for sysvinit or what runs such scripts in its place. Neither in a chroot nor in the
# making of an image is there anything to start.
sysvinit_runs() {
	[ -z "${DPKG_ROOT:-}" ] && [ ! -d /run/systemd/system ] && { [ -p /run/initctl ] || [ -e /run/openrc/softlevel ]; }
}

stop_init_script() {
	if [ -x "$init_script" ] && sysvinit_runs; then invoke-rc.d concierge-ga stop || :; fi
}

# The port is free again: whoever is still there to serve it does so at once.
give_back() {
	systemd_runs || return 0
	reload_rules
	if ! systemctl --quiet cat qemu-guest-agent.service >/dev/null 2>&1; then
		echo "concierge-ga: this machine has no guest agent now; a qemu-guest-agent that is installed later is started by systemctl start qemu-guest-agent"
	elif [ -e "$port" ]; then
		service start qemu-guest-agent.service || :
	fi
}

# apt removes this package before it unpacks the one in its place, and Debian's qemu-guest-agent does not start itself: its
# unit is udev's, and the port is there already. So it is started once the package manager is through and gives its lock
# back. The unit is a transient one and over then: nothing is left behind.
give_back_later() {
	if systemd_runs && permitted start qemu-guest-agent.service && [ ! -e /usr/lib/systemd/system/qemu-guest-agent.service ]; then
		# fcntl(2)'s lock, which flock(1) does not know. The layout of struct flock is that of 64-bit systems.
		# shellcheck disable=SC2016
		systemd-run --quiet --no-block --collect --unit=concierge-ga-give-back perl -e '
			use Fcntl;
			open(my $lock, "+<", "/var/lib/dpkg/lock-frontend") or exit;
			my $whole = pack("s s x4 q q i x4", F_WRLCK, 0, 0, 0, 0);
			fcntl($lock, F_SETLKW, $whole) or exit;
			close($lock);
			exit if system("systemctl --quiet cat qemu-guest-agent.service >/dev/null 2>&1") != 0 or ! -e $ARGV[0];
			exec("systemctl", "start", "qemu-guest-agent.service");
		' "$port" >/dev/null 2>&1 || :
	fi
}

# The state directory is memory; a marker in it says that something is still frozen.
forget_state() {
	if [ -e /run/concierge-ga/qga.state.isfrozen ]; then
		echo "concierge-ga: something is still frozen; /run/concierge-ga is left as it is" >&2
	else
		rm -rf /run/concierge-ga
	fi
}

# First installation: what qemu-ga was told by its file, and by the settings of Fedora's and Red Hat's unit, goes on to
# hold, above all the commands that the administrator has blocked. An own file that differs from the sample is left alone.
adopt_configuration() {
	configuration=$etc/concierge-ga.conf
	sample=$share/concierge-ga.conf
	if [ -e "$configuration" ] && ! cmp -s "$configuration" "$sample"; then return 0; fi
	set -- --statedir=/run/concierge-ga --retry-path
	if [ -r /etc/qemu/qemu-ga.conf ]; then set -- "$@" --config=/etc/qemu/qemu-ga.conf; fi
	if [ -r /etc/sysconfig/qemu-ga ]; then
		lists=$(
			# A shell's file, by its unit's EnvironmentFile=.
			BLACKLIST_RPC='' BLOCK_RPCS='' FILTER_RPC_ARGS='' FSFREEZE_HOOK_PATHNAME=''
			# shellcheck disable=SC1091
			. /etc/sysconfig/qemu-ga >/dev/null 2>&1 || :
			for list in "$BLACKLIST_RPC" "$BLOCK_RPCS"; do
				if [ -n "$list" ]; then printf '%s\n' "--block-rpcs=$list"; fi
			done
			# Options without blanks in them, as the unit passes them on.
			for word in $FILTER_RPC_ARGS; do printf '%s\n' "$word"; done
			# Its hook goes with its package; hooks of the administrator's beside it stay.
			for hook in "${FSFREEZE_HOOK_PATHNAME%/*}"/fsfreeze-hook.d/*; do
				if [ -x "$hook" ]; then
					printf '%s\n' "--fsfreeze-hook=$FSFREEZE_HOOK_PATHNAME"
					break
				fi
			done
		)
		for word in $lists; do set -- "$@" "$word"; done
	fi
	mkdir -p "$etc"
	if [ $# -gt 2 ] && "$agent" "$@" --dump-conf >"$configuration.new" 2>/dev/null; then
		# A service of systemd stays in the foreground.
		{
			echo '# Taken over from the settings of qemu-ga when concierge-ga was installed.'
			sed 's/^daemon=true$/daemon=false/' "$configuration.new"
		} >"$configuration.adopted"
		chmod 0644 "$configuration.adopted"
		mv "$configuration.adopted" "$configuration"
	elif [ $# -gt 2 ]; then
		echo "concierge-ga: the settings of qemu-ga cannot be taken over; check $configuration" >&2
	fi
	rm -f "$configuration.new"
	if [ ! -e "$configuration" ]; then
		cp "$sample" "$configuration"
		chmod 0644 "$configuration"
	fi
}
