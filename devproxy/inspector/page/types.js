/**
 * The shapes of the inspector's API (docs/inspector-api.md), for those who read the modules and for `tsc --checkJs`.
 * Times are in seconds, sizes in bytes; null is "not known".
 *
 * @typedef {"waiting"|"sent"|"streaming"|"open"|"done"} State
 * @typedef {{sent_s: number|null, first_byte_s: number|null, ended_s: number|null, held_s: number|null}} Times
 * @typedef {{protocol: string, sent_bytes: number, received_bytes: number, messages: number|null,
 *   closed_by: string|null, close_code: number|null}} Tunnel
 * @typedef {object} Row
 * @property {number} id
 * @property {number} version
 * @property {State} state
 * @property {string} method
 * @property {string} target
 * @property {string} host
 * @property {string} scheme
 * @property {string} http
 * @property {string} client
 * @property {string|null} origin
 * @property {string|null} destination
 * @property {number|null} status
 * @property {string} kind
 * @property {string|null} type
 * @property {string|null} route
 * @property {string|null} upstream
 * @property {string|null} server
 * @property {number} started_at
 * @property {Times} times
 * @property {number|null} request_bytes
 * @property {number|null} response_bytes
 * @property {string|null} outcome
 * @property {string} error
 * @property {string} detail
 * @property {"failed"|"refused"|"blocked"|null} problem
 * @property {string[]} marks
 * @property {string|null} session
 * @property {Tunnel|null} tunnel
 * @property {boolean} is_kept
 * @property {number|null} replay_of
 *
 * @typedef {[string, string]} Field
 * @typedef {{start: string, fields: Field[]}} Head
 * @typedef {{file: string, line: number|null, key: string}} Source
 * @typedef {{what: "added"|"removed"|"changed", name: string|null, before: string|null, after: string|null,
 *   rule: string, why: string, source: Source|null}} Change
 * @typedef {{bytes: number|null, kept_bytes: number, is_complete: boolean, type: string|null, encoding: string|null,
 *   charset: string|null, view: string}} Body
 * @typedef {{received: Head|null, sent: Head|null, changes: Change[]|null, body: Body|null}} Side
 * @typedef {{is_blocked: boolean, text: string, step: string, what: string, fix: string}} Reading
 * @typedef {{for: string, language: string, code: string}} Fix
 * @typedef {{origin: string, with_credentials: boolean, through: Reading, without: Reading|null, console: string,
 *   fixes: Fix[]}} Verdict
 * @typedef {{code: string, title: string, what: string, help: string, action: string|null}} Finding
 * @typedef {Row & {request: Side, response: Side, interim: {received: Head|null, sent: Head|null}[],
 *   verdict: Verdict|null, findings: Finding[], route_source: Source|null}} Detail
 *
 * @typedef {{layer: string, type: string, namespace?: string, event?: string|null, ack?: number|null, data?: unknown,
 *   attachments?: number, engine?: string}} Packet
 * @typedef {{id: number, exchange: number, at: number, direction: "up"|"down", kind: string, opcode: number|null,
 *   bytes: number, is_compressed: boolean, text: string|null, base64: string|null, is_cut: boolean,
 *   packets: Packet[], note: string}} Message
 * @typedef {object} Session
 * @property {string} sid
 * @property {number} version
 * @property {number|null} eio
 * @property {string|null} transport
 * @property {"open"|"closed"|"unknown"} state
 * @property {number|null} opened_at
 * @property {number|null} closed_at
 * @property {"none"|"probing"|"done"|"failed"} upgrade
 * @property {string} upgrade_why
 * @property {string} path
 * @property {string|null} route
 * @property {string|null} upstream
 * @property {string|null} server
 * @property {number|null} ping_interval_s
 * @property {number|null} ping_timeout_s
 * @property {number|null} last_ping_at
 * @property {number|null} last_pong_at
 * @property {string[]} namespaces
 * @property {number} polls
 * @property {number} packets
 * @property {string} why_closed
 * @property {number[]} exchanges
 *
 * @typedef {{url: string, is_up: boolean|null, address: string|null, detail: string, since_at: number|null,
 *   running: number, idle: number, sessions: number}} Server
 * @typedef {{name: string, sticky: string, servers: Server[]}} Upstream
 * @typedef {{label: string, upstream: string|null, cors: string, guard: boolean, fault: string, conditions: string[],
 *   source: Source|null, requests: number, failures: number}} Route
 * @typedef {{what: string, kind: string, detail: string}} ReloadChange
 * @typedef {{source: string|null, text?: string|null, applied_at: number|null,
 *   rejected: {at: number, problems: number, report: string}|null,
 *   reloads: {at: number, changes: ReloadChange[]}[]}} Configuration
 * @typedef {{version: string, epoch: string, access: "full"|"masked", urls: string[], source: string|null,
 *   folder: string, pid: number, since_at: number, capture: boolean, max_mib: number, is_complete: boolean,
 *   last_event_id: string}} About
 */

export {};
