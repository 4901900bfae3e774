// SPDX-License-Identifier: Apache-2.0
import type { GuestShell } from './guest-shell.ts';
import { agentCommand } from './keeper.ts';

/** What a process holds, and how often the kernel has given it a processor. */
export interface Footprint {
  /** Anonymous memory. */
  readonly kilobytes: number;
  readonly descriptors: number;
  /** Context switches of all its threads. */
  readonly switches: number;
}

/** The payload's agent as a unit of the guest's systemd, with a state directory of its own. Where it has a keeper, that is its main process. */
export class AgentUnit {
  readonly name: string;
  readonly #shell: GuestShell;

  private constructor(shell: GuestShell, name: string) {
    this.#shell = shell;
    this.name = name;
  }

  /** Resolves once it says that it serves. @throws with its journal where it does not */
  static async start(shell: GuestShell, name: string, flags: string, properties: readonly string[] = []): Promise<AgentUnit> {
    const wanted = ['Type=notify', 'TimeoutStartSec=infinity', 'StandardError=journal', ...properties].map((one) => `--property=${one}`).join(' ');
    await shell.run(
      `systemctl reset-failed --quiet ${name} 2>/dev/null
      systemd-run --quiet --unit=${name} ${wanted} ${agentCommand} -t /run/${name} ${flags} || { journalctl -q -o cat -u ${name} | tail -n 20; exit 1; }`,
    );
    return new AgentUnit(shell, name);
  }

  processId(): Promise<string> {
    return this.#shell.run(`systemctl show -P MainPID ${this.name}`);
  }

  journal(): Promise<string> {
    return this.#shell.run(`journalctl -q -o cat -u ${this.name}`);
  }

  async footprint(): Promise<Footprint> {
    const [kilobytes, descriptors, switches] = (
      await this.#shell.run(
        `cd /proc/$(systemctl show -P MainPID ${this.name})
        grep -oP 'RssAnon:\\s+\\K\\d+' status; ls fd | wc -l; grep -hoP 'ctxt_switches:\\s+\\K\\d+' task/*/status | paste -sd+ | sed 's/.*/echo $((&))/' | bash`,
      )
    ).split('\n');
    return { kilobytes: Number(kilobytes), descriptors: Number(descriptors), switches: Number(switches) };
  }

  async stop(): Promise<void> {
    await this.#shell.run(`systemctl stop ${this.name}`);
  }
}
