// SPDX-License-Identifier: Apache-2.0

export interface Asked {
  readonly execute: string;
  readonly arguments?: object;
}

export type Answer = { readonly return: unknown } | { readonly error: { readonly class: string; readonly desc: string } };

/** A script of sh that asks one thing after another on a connection of their own, with Node as it is packed, and prints each answer. */
export const askScript = (socket: string, requests: readonly Asked[]): string => `/usr/lib/concierge-ga/runtime/node -e '
  const requests = JSON.parse(Buffer.from("${Buffer.from(JSON.stringify(requests)).toString('base64')}", "base64"));
  const host = require("node:net").connect("${socket}");
  const next = () => requests.length === 0 ? host.end() : host.write(JSON.stringify(requests.shift()) + "\\n");
  host.on("error", (error) => { console.log(error.code); process.exit(1); });
  host.on("connect", next);
  let text = "";
  host.on("data", (bytes) => { text += bytes; if (text.endsWith("\\n")) { process.stdout.write(text); text = ""; next(); } });'`;
