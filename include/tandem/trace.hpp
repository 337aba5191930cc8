// Call traces: the messages of chosen calls, both legs in one ladder (O-12).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/error.hpp"
#include "tandem/export.h"
#include "tandem/sip_options.hpp"
#include "tandem/values.hpp"

namespace tandem {

/// Where copies of traced messages go: a server that speaks HEP version 3, such as Homer.
struct HepConfig {
  std::optional<SocketAddress> server;  ///< UDP. Nothing: none is sent.
  std::uint32_t capture_id = 0;         ///< Tells this switch from others (chunk 12).
  std::string password;                 ///< Chunk 14; 0..64 characters, "": none.
  std::int32_t queue_packets = 512;     ///< 1..65536 that wait, of each worker; more are dropped.
  bool all_calls = false;  ///< Needs TraceConfig::ring_bytes; else of traces that want it.
  bool operator==(const HepConfig&) const = default;
};

/// What traces may cost. Needs a restart, all of it.
struct TraceConfig {
  /// Always on: the messages of the latest calls, whatever their number. 65,536..1,073,741,824
  /// bytes of all workers together; 0: off.
  std::int64_t ring_bytes = 0;
  /// 1,048,576..4,294,967,296 bytes that all other traces may ask for together.
  std::int64_t memory_bytes = 64 << 20;
  /// Responses to challenges, keys of SDP: '*' stands in their place, also in what goes to the HEP
  /// server.
  bool redact = true;
  HepConfig hep;
  bool operator==(const TraceConfig&) const = default;
};

/// Which calls are traced. Each member that is set must fit; with none, all calls are.
struct TraceFilter {
  std::string caller;   ///< Prefix of the caller, as it came or after rewriting; a '+' is skipped.
  std::string callee;   ///< The same of the callee.
  std::string gateway;  ///< Id of the customer gateway, or of a vendor gateway that is tried.
  std::string source;   ///< "IP" or "IP/LENGTH" that the call comes from.
  std::string phone;    ///< Number of a phone that calls, or is called.
  bool operator==(const TraceFilter&) const = default;
};

/// A trace to be. It ends by itself when one of its bounds is reached.
struct TraceRequest {
  TraceFilter filter;
  std::int32_t duration_s = 600;     ///< 1..86400.
  std::int32_t calls_max = 100;      ///< 1..10000; calls that began go on being recorded.
  std::int64_t bytes_max = 8 << 20;  ///< 65,536..1,073,741,824; then nothing more is recorded.
  bool hep = false;                  ///< To the HEP server too; refused when there is none.
  std::string memo;                  ///< At most 256 characters.
};

/// What ended a trace.
enum class TraceEnd : std::uint8_t { none, stopped, time, calls, bytes };
/// "", "stopped", "time", "calls" or "bytes". Lives for ever.
TANDEM_EXPORT const char* trace_end_name(TraceEnd end) noexcept;

/// A trace as it stands. Times are microseconds since 1970 UTC.
struct TraceView {
  std::uint64_t id = 0;  ///< 0: the ring of the latest calls, which never ends.
  TraceRequest request;
  std::int64_t started_at_us = 0;
  std::int64_t ends_at_us = 0;  ///< Planned; of one that ended, when it did.
  TraceEnd end = TraceEnd::none;
  std::uint64_t calls = 0, messages = 0;
  std::uint64_t bytes = 0;    ///< Memory of it.
  std::uint64_t dropped = 0;  ///< Messages of its calls that found no room.
};

/// One traced call without its messages.
struct TracedCallView {
  std::uint64_t id = 0;  ///< CallView::id.
  std::string call_id;   ///< Call-ID of the inbound leg.
  std::string caller, callee;
  std::string customer_gateway, vendor_gateway;  ///< "": not known; the vendor tried last.
  std::int64_t started_at_us = 0;
  std::int64_t ended_at_us = 0;  ///< 0: it is up.
  std::string end_reason;        ///< Name of C-08; "": it is up.
  std::uint64_t messages = 0;
  std::uint64_t dropped = 0;  ///< Messages that found no room.
};

/// One thing that happened in a call.
struct TraceEntry {
  enum class Kind : std::uint8_t { message, note };
  enum class Side : std::uint8_t { customer, vendor };
  Kind kind = Kind::message;
  std::int64_t at_us = 0;
  // Of a message.
  Side side = Side::customer;
  bool is_sent = false;  ///< By this switch.
  bool is_lost = false;  ///< It was to be sent and could not be.
  SipTransport transport = SipTransport::udp;
  SocketAddress local, remote;  ///< `local`: the listen address, also of connections made from it.
  std::string text;             ///< The message with its secrets replaced; or the note.
  std::string topic;            ///< Of a note: "stage", "route", "attempt", "media" or "call".
  std::string gateway;          ///< Of a message on the vendor's side: whom it concerns.
};

/// One traced call with all that was recorded of it, oldest first.
struct TracedCall {
  TracedCallView call;
  std::vector<TraceEntry> entries;
};

/// First line of a message: "INVITE sip:44@192.0.2.1 SIP/2.0"; "" of none.
TANDEM_EXPORT std::string_view first_line(std::string_view message) noexcept;

/// The call as text: columns customer, tandem and vendor, times since its first message, notes
/// between. `with_messages`: whole messages behind the ladder.
TANDEM_EXPORT std::string to_ladder(const TracedCall& call, bool with_messages = false);
/// The messages as a capture file (pcap, raw IP), in IP and UDP headers made for them whatever they
/// came over, so that any analyser reads them.
TANDEM_EXPORT std::string to_pcap(const TracedCall& call);
/// One of the four as the name says: "ladder", "messages" (a ladder with them), "json" or "pcap".
/// Errors: invalid_argument (another name).
TANDEM_EXPORT Result<std::string> format_traced_call(const TracedCall& call,
                                                     std::string_view format);
TANDEM_EXPORT std::string to_json(const TracedCall& call);
TANDEM_EXPORT std::string to_json(const TracedCallView& call);
TANDEM_EXPORT std::string to_json(const TraceView& trace);
/// Reads the keys of a request: `caller callee gateway source phone duration_s calls bytes hep
/// memo`, none required. Errors: invalid_argument ("/KEY: ...").
TANDEM_EXPORT Result<TraceRequest> read_trace_request(std::string_view json);

}  // namespace tandem
