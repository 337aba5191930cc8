// Call detail records and where they go.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/clock.hpp"
#include "tandem/error.hpp"
#include "tandem/export.h"
#include "tandem/log.hpp"
#include "tandem/values.hpp"

namespace tandem {

/// One try on one vendor gateway.
struct Attempt {
  std::string vendor_gateway;
  int sip_status = 0;  ///< The vendor's own final status; 200 when answered; 0: none came.
  int q850_cause = 0;
  Reason reason = Reason::none;
  std::int64_t started_at_us = 0;  ///< Microseconds since 1970 UTC.
  std::int64_t ended_at_us = 0;    ///< End of the attempt; of an answered one the end of the call.
  std::string caller_out;          ///< Numbers as this vendor got them.
  std::string callee_out;
  bool operator==(const Attempt&) const = default;
};

/// Why nothing is heard of one side of a call, as far as the relay can tell.
enum class MediaCause : std::uint8_t {
  none,                  ///< It is heard, or it was on hold.
  not_described,         ///< It never said where its media is: no description, port 0 or hold.
  never_sent,            ///< No packet ever came; its address is a public one.
  private_address,       ///< No packet ever came, and nothing can be sent to the private address of
                         ///< its description either.
  source_refused,        ///< Packets came, all from sources that may not speak for it (M-02).
  source_denied,         ///< The same, by the list of allowed networks (S-01).
  malformed,             ///< Nothing that came was RTP.
  not_negotiated,        ///< All that came had payload types that nobody agreed on.
  other_side_unknown,    ///< It came, and there was no address of the other side to send it to.
  blocked,               ///< It came, and was not passed on by order of the host.
  send_failed,           ///< It came, and the system refused to send it on.
  stopped,               ///< It was heard, and stopped ten seconds ago or earlier.
  srtp_failure,          ///< Most of what came was not encrypted with the key that was agreed on.
  ice_unchecked,         ///< No authentic check of ICE came (RFC 8445).
  dtls_failed,           ///< The handshake of DTLS-SRTP failed, or never came.
  fingerprint_mismatch,  ///< It showed another certificate than its description says.
};
/// "never_sent"; "" for none.
TANDEM_EXPORT const char* media_cause_name(MediaCause cause) noexcept;
TANDEM_EXPORT std::optional<MediaCause> media_cause_from_name(std::string_view name) noexcept;

/// What the relay counted on one side of a call.
struct MediaSideStats {
  std::uint64_t packets_received = 0;
  std::uint64_t bytes_received = 0;  ///< RTP with header, without IP and UDP.
  std::uint64_t packets_sent = 0;
  std::uint64_t packets_lost = 0;  ///< Expected by sequence numbers less received, never below 0.
  std::uint32_t jitter_us = 0;     ///< RFC 3550 section 6.4.1, at the end of the call.
  std::uint64_t packets_refused =
      0;               ///< From a source that the latch did not accept, or malformed.
  std::string remote;  ///< Where media came from; "" when none came.
  MediaCause cause = MediaCause::none;     ///< Why it is not heard.
  std::string signalled{};                 ///< Where its description wanted media; "": nowhere.
  std::uint32_t digits = 0;                ///< Keys it pressed (RFC 4733); which ones is not kept.
  std::uint64_t packets_unnegotiated = 0;  ///< Of payload types that nobody agreed on; passed on.
  /// Of what was sent to it: packets that it says it missed, and the jitter, by its last RTCP
  /// report (RFC 3550 section 6.4.1).
  std::uint64_t reported_lost = 0;
  std::uint32_t reported_jitter_us = 0;
  std::uint64_t srtp_failures = 0;  ///< Packets that the agreed key did not fit; refused.
  /// Of the jitter buffer, where what it sent was converted (M-16): packets that came after their
  /// place had gone, that had not come when their place went, and the greatest depth.
  std::uint32_t jitter_late = 0, jitter_lost = 0;
  std::uint32_t jitter_depth_ms = 0;  ///< 0: nothing was buffered.
  bool operator==(const MediaSideStats&) const = default;
};

/// Which codecs a call was about, by the names that its descriptions have.
struct MediaCodecs {
  std::string negotiated;      ///< "PCMA", "T38"; "" when nothing was answered.
  std::string caller, callee;  ///< What each described last: "PCMA,G729,telephone-event".
  bool operator==(const MediaCodecs&) const = default;
};

/// Charge of one side of a call.
struct ChargeFacts {
  std::string account;
  Amount charge;                   ///< Zero when unanswered.
  std::int64_t billed_time_s = 0;  ///< "feeTime" of B-06.
  std::string rate_prefix;
  std::string currency;
  std::string rate_deck{};   ///< "" when nothing was rated.
  std::string rate_terms{};  ///< What the charge was made of, for recompute_charge(); "" when the
                             ///< call was not answered or nobody pays.
  Amount package_charge{};   ///< Paid by gift money, beside `charge` (`suiteFee` of C-01).
  std::int64_t package_time_s = 0;  ///< Gift seconds used, in whole cycles (`suiteFeeTime`).
  bool operator==(const ChargeFacts&) const = default;
};

/// What the sides of a call were charged at its end, when they were corrected since (B-25).
struct CdrOriginal {
  ChargeFacts customer;
  std::optional<ChargeFacts> vendor, agent;
  std::uint32_t corrections = 0;     ///< How many were made.
  std::uint64_t correction_id = 0;   ///< Correction::id of the last one.
  std::int64_t corrected_at_us = 0;  ///< The last one.
  std::string reason;                ///< Of the last one.
  bool operator==(const CdrOriginal&) const = default;
};

/// One closed call (C-01). A value: copy it, compare it, keep it. Times are microseconds since 1970
/// UTC, 0: never.
struct Cdr {
  std::uint64_t record_id = 0;  ///< Never reused by one switch; key for dropping duplicates.
  std::string call_id;          ///< Call-ID of the inbound leg (RFC 3261 section 8.1.1.4).
  std::optional<std::string> customer_gateway;  ///< Nothing: unknown source (S-10).
  std::optional<std::string> vendor_gateway;    ///< The last one tried; nothing when none was.
  std::string caller_ip, callee_ip;             ///< Signalling addresses, "IP:PORT".
  std::string caller_product, callee_product;   ///< User-Agent or Server (P-28).
  std::string caller_in, caller,
      caller_out;  ///< As it came, for routing and billing, as the vendor got it.
  std::string callee_in, callee, callee_out;
  std::int64_t started_at_us = 0;   ///< INVITE received.
  std::int64_t answered_at_us = 0;  ///< 200 sent to the customer.
  std::int64_t ended_at_us = 0;     ///< First release event.
  std::int64_t pdd_ms = -1;  ///< Arrival to first ringing, early media or answer; -1: none of them.
  std::int64_t talk_time_ms = 0;      ///< Monotonic clock, so a clock step cannot change a bill.
  ChargeFacts customer;               ///< `account` "" when nobody pays.
  std::optional<ChargeFacts> vendor;  ///< Nothing: no vendor with an account was tried.
  Reason end_reason = Reason::none;
  int end_code = 0;    ///< SIP status, 16, or the negative code of C-08; see Reason.
  int sip_status = 0;  ///< Final status sent to the customer; 200 when answered; 0: none sent.
  int q850_cause = 0;
  ReleaseSide release_side = ReleaseSide::server;
  CallLevel call_level = CallLevel::none;  ///< Of the customer's rate (N-07); none: it has none.
  std::vector<Attempt> attempts;
  bool media_relayed = false;
  MediaSideStats media_caller, media_callee;  ///< Both zero for direct media.
  std::string lrn;  ///< Location routing number of the callee (R-20); "": not ported or not asked.
  std::string callee_region, caller_region;  ///< As its resolver has them; "": unknown.
  std::optional<ChargeFacts> agent{};  ///< The side of the customer's agent (B-17); nothing: none.
  std::string choices{};    ///< Candidates it came to and why each was taken or passed over (R-23),
                            ///< for parse_route_choices(); "": none. The first 64.
  std::string recording{};  ///< File of the call's recording (M-15), below its folder; "": none.
  /// Of a record that was corrected: the charges above are those of now, these are the first ones.
  /// Queries fill it; sinks get records before there can be a correction.
  std::optional<CdrOriginal> original{};
  MediaCodecs codecs{};  ///< M-07; of direct media too.
  bool operator==(const Cdr&) const = default;
};

/// One JSON object without line end; docs/cdr.md lists its keys.
TANDEM_EXPORT std::string to_json(const Cdr& cdr);

/// The CSV form (RFC 4180, without line end): the keys of to_json() as columns in the same order,
/// attempts and media as JSON text; nothing (null) is an empty field.
TANDEM_EXPORT std::string csv_header();
TANDEM_EXPORT std::string to_csv_row(const Cdr& cdr);

/// Aligned text for people, a header line and one line a record, each with its line end.
TANDEM_EXPORT std::string to_table(const std::vector<Cdr>& cdrs);

/// Destination for closed calls. Derive from it to send CDRs anywhere.
///
/// Delivery: at least once, in order of release; drop duplicates by `record_id`.
/// Threading: called on the sink's own thread, one call at a time, never on a call worker; may
/// block.
class TANDEM_EXPORT CdrSink {
 public:
  virtual ~CdrSink();
  /// Takes one record; the reference ends with the call. On error the record stays in the journal
  /// and is offered again after a pause. `invalid_argument` and `already_exists` say that this very
  /// record cannot be taken, everything else that the sink cannot work now: only a record that is
  /// refused as such can be set aside.
  [[nodiscard]] virtual Result<void> write(const Cdr& cdr) = 0;
  /// Makes every record taken so far durable, after each batch and at shutdown. On error all since
  /// the last success come to write() again; it is no verdict on one of them.
  [[nodiscard]] virtual Result<void> flush() = 0;
};

/// How a file sink writes its lines.
enum class CsvLayout : std::uint8_t {
  csv,   ///< csv_header() and to_csv_row(), lines end with CR LF.
  pipe,  ///< The 18 fields of C-04 between '|', lines end with LF, no header.
};

struct CsvSinkConfig {
  std::string path;  ///< A file; with `hourly` a folder. Made when absent; its parent must exist.
  CsvLayout layout = CsvLayout::csv;
  bool hourly =
      false;  ///< One file per UTC hour of `ended_at_us`, "YYYYMMDDHH.csv" or ".txt" (C-04).
  bool header = true;      ///< First line of each csv file.
  bool unanswered = true;  ///< Whether unanswered calls are written (SS_CDR_RECORD_NONCONNECT).
};

/// Sinks for use with CdrJournal, where each record is written exactly once, or alone: then write()
/// collects, flush() writes, and records with a `record_id` not above the last flushed one are
/// dropped as duplicates. The place reached is kept beside the files ("<path>.position",
/// "cdr-control.db"). Errors: io, corrupt (the kept place is not readable), already_exists (another
/// process writes there).
TANDEM_EXPORT Result<std::unique_ptr<CdrSink>> make_csv_sink(CsvSinkConfig config);
/// SQLite day files "cdr-YYYYMMDD.db" (UTC day of `ended_at_us`) in `folder` (C-03); same errors.
TANDEM_EXPORT Result<std::unique_ptr<CdrSink>> make_sqlite_sink(std::string folder);

struct CdrJournalConfig {
  std::string folder;  ///< Belongs to one process at a time. Made when absent.
  std::uint64_t segment_bytes = 64ULL
                                << 20;   ///< 64 KiB..1 GiB; files are written anew in this size.
  std::uint32_t queue_records = 65'536;  ///< Waiting for the writer; 16..4,194,304.
  std::uint64_t backlog_bytes_max = 256ULL << 20;  ///< Memory held while the disk fails.
  bool threads = true;                             ///< false: the host calls pump().
};

/// What a journal and its sinks did, since opening.
struct CdrJournalCounters {
  std::uint64_t appended = 0;       ///< Records taken.
  std::uint64_t refused = 0;        ///< Records refused because queue and backlog were full.
  std::uint64_t durable = 0;        ///< Records on disk.
  std::uint64_t commits = 0;        ///< Group commits.
  std::uint64_t disk_failures = 0;  ///< Writes or flushes that the disk refused.
  std::uint64_t waiting = 0;        ///< Records in memory now.
  std::uint64_t segments = 0;       ///< Files in use now, without spare ones.
  std::uint64_t segments_recycled = 0;
};

/// How far one sink is.
struct CdrSinkState {
  std::string name;
  std::uint64_t position = 0;     ///< Last record that the sink holds.
  std::uint64_t lag_records = 0;  ///< Durable records that it does not hold yet (an upper bound).
  std::int64_t lag_us = 0;        ///< Age of the oldest of them, as far as known.
  std::uint64_t failures = 0;     ///< Refused batches.
  bool is_failing = false;
  std::string last_error;       ///< "" when there was none.
  std::uint64_t set_aside = 0;  ///< That its set-aside file has.
};

/// A journal with sinks, for hosts that make CDRs themselves: append() returns at once, the record
/// survives a crash as soon as it is durable, and each sink gets every record in order however long
/// it was away. Threading: append(), is_writable(), durable_id(), counters() and sinks() are
/// thread-safe; the rest one thread at a time. Without threads: one thread at a time for all.
class TANDEM_EXPORT CdrJournal {
 public:
  /// `clock` and `log` (may be null) must outlive the journal. Errors: invalid_argument, io,
  /// already_exists (the folder is in use by another process), corrupt (a durable record is
  /// damaged; the text names file and offset).
  static Result<std::unique_ptr<CdrJournal>> open(CdrJournalConfig config, const Clock& clock,
                                                  Log* log = nullptr);
  ~CdrJournal();  ///< As close(0).
  CdrJournal(const CdrJournal&) = delete;
  CdrJournal& operator=(const CdrJournal&) = delete;

  /// Adds a sink before start(). `name`: 1..64 of `a-z 0-9 - _`; it names the sink's place in the
  /// journal. `set_aside_after`: so many refusals of one record with invalid_argument or
  /// already_exists put it into the file "<folder>/<name>.set-aside" with the reason, and the sink
  /// gets the next ones; 0: never. Errors: invalid_argument, already_exists, wrong_state
  /// (after start()), io, corrupt.
  Result<void> add_sink(std::string name, std::unique_ptr<CdrSink> sink,
                        std::uint32_t set_aside_after = 0);
  /// From now on sinks are served and files are recycled. Errors: wrong_state (called twice).
  Result<void> start();

  /// Takes a record, whose `record_id` is set by the journal and returned. Never blocks.
  /// Errors: limit (queue and backlog are full), invalid_argument (too large for a segment).
  Result<std::uint64_t> append(const Cdr& cdr);
  /// False while the disk fails or the queue is nearly full: take no new calls then.
  [[nodiscard]] bool is_writable() const noexcept;
  /// Every record up to this one is on disk.
  [[nodiscard]] std::uint64_t durable_id() const noexcept;
  /// Waits until `record_id` is durable. Errors: timeout.
  Result<void> wait_durable(std::uint64_t record_id, std::int64_t timeout_ms);
  /// Without threads: writes what waits and serves the sinks once. With threads: nothing.
  void pump();

  [[nodiscard]] CdrJournalCounters counters() const;
  [[nodiscard]] std::vector<CdrSinkState> sinks() const;

  /// Makes what waits durable and gives the sinks up to `drain_ms` to take it. The rest stays in
  /// the journal.
  void close(std::int64_t drain_ms = 5'000);

 private:
  struct Body;
  explicit CdrJournal(std::unique_ptr<Body> body) noexcept;
  std::unique_ptr<Body> body_;
};

}  // namespace tandem
