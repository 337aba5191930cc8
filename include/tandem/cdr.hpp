// Call detail records and where they go.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tandem/error.hpp"
#include "tandem/export.h"
#include "tandem/values.hpp"

namespace tandem {

/// One try on one vendor gateway.
struct Attempt {
  std::string vendor_gateway;
  int sip_status = 0;                ///< The vendor's own final status; 200 when answered; 0: none came.
  int q850_cause = 0;
  Reason reason = Reason::none;
  std::int64_t started_at_us = 0;    ///< Microseconds since 1970 UTC.
  std::int64_t ended_at_us = 0;      ///< End of the attempt; of an answered one the end of the call.
  std::string caller_out;            ///< Numbers as this vendor got them.
  std::string callee_out;
  bool operator==(const Attempt&) const = default;
};

/// What the relay counted on one side of a call.
struct MediaSideStats {
  std::uint64_t packets_received = 0;
  std::uint64_t bytes_received = 0;   ///< RTP with header, without IP and UDP.
  std::uint64_t packets_sent = 0;
  std::uint64_t packets_lost = 0;     ///< Expected by sequence numbers less received, never below 0.
  std::uint32_t jitter_us = 0;        ///< RFC 3550 section 6.4.1, at the end of the call.
  std::uint64_t packets_refused = 0;  ///< From a source that the latch did not accept, or malformed.
  std::string remote;                 ///< Where media came from; "" when none came.
  bool operator==(const MediaSideStats&) const = default;
};

/// Charge of one side of a call.
struct ChargeFacts {
  std::string account;
  Amount charge;                  ///< Zero when unanswered.
  std::int64_t billed_time_s = 0; ///< "feeTime" of B-06.
  std::string rate_prefix;
  std::string currency;
  bool operator==(const ChargeFacts&) const = default;
};

/// One closed call (C-01). A value: copy it, compare it, keep it. Times are microseconds since 1970 UTC, 0: never.
struct Cdr {
  std::uint64_t record_id = 0;        ///< Never reused by one switch; key for dropping duplicates.
  std::string call_id;                ///< Call-ID of the inbound leg (RFC 3261 section 8.1.1.4).
  std::optional<std::string> customer_gateway;  ///< Nothing: unknown source (S-10).
  std::optional<std::string> vendor_gateway;    ///< The last one tried; nothing when none was.
  std::string caller_ip, callee_ip;   ///< Signalling addresses, "IP:PORT".
  std::string caller_product, callee_product;   ///< User-Agent or Server (P-28).
  std::string caller_in, caller, caller_out;    ///< As it came, for routing and billing, as the vendor got it.
  std::string callee_in, callee, callee_out;
  std::int64_t started_at_us = 0;     ///< INVITE received.
  std::int64_t answered_at_us = 0;    ///< 200 sent to the customer.
  std::int64_t ended_at_us = 0;       ///< First release event.
  std::int64_t pdd_ms = -1;           ///< Arrival to first ringing, early media or answer; -1: none of them.
  std::int64_t talk_time_ms = 0;      ///< Monotonic clock, so a clock step cannot change a bill.
  ChargeFacts customer;               ///< `account` "" when nobody pays.
  std::optional<ChargeFacts> vendor;  ///< Nothing: no vendor with an account was tried.
  Reason end_reason = Reason::none;
  int end_code = 0;                   ///< SIP status, 16, or the negative code of C-08 (contract, rule 2).
  int sip_status = 0;                 ///< Final status sent to the customer; 200 when answered; 0: none sent.
  int q850_cause = 0;
  ReleaseSide release_side = ReleaseSide::server;
  std::vector<Attempt> attempts;
  bool media_relayed = false;
  MediaSideStats media_caller, media_callee;    ///< Both zero for direct media.
  bool operator==(const Cdr&) const = default;
};

/// One object of the contract's CDR shape, without line end. `design.md` names its keys.
TANDEM_EXPORT std::string to_json(const Cdr& cdr);

/// Destination for closed calls. Derive from it to send CDRs anywhere.
///
/// Delivery: at least once, in order of release; drop duplicates by `record_id`.
/// Threading: called on the sink's own thread, one call at a time, never on a call worker; may block.
class TANDEM_EXPORT CdrSink {
 public:
  virtual ~CdrSink();
  /// Takes one record; the reference ends with the call. On error the record stays in the journal and is offered
  /// again after a pause.
  [[nodiscard]] virtual Result<void> write(const Cdr& cdr) = 0;
  /// Makes every record taken so far durable. Called after each batch and at shutdown; the journal's cursor moves
  /// on only when it succeeds.
  [[nodiscard]] virtual Result<void> flush() = 0;
};

/// Which records a query wants. Empty texts and nothing mean: any.
struct CdrQuery {
  std::optional<std::int64_t> since_us;  ///< Inclusive, compared with `ended_at_us`.
  std::optional<std::int64_t> until_us;  ///< Exclusive.
  std::string caller;                    ///< Exact with any of the three views; a trailing '*' makes it a prefix.
  std::string callee;
  std::string reason;                    ///< Name of C-08.
  std::optional<std::uint64_t> before_record_id;
  std::size_t limit = 100;               ///< 1..1,000,000.
};

}  // namespace tandem
