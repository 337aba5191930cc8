// The traces of a switch, and the tapes that its workers fill for them.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "io/loop.hpp"
#include "tandem/clock.hpp"
#include "tandem/trace.hpp"
#include "trace/filter.hpp"
#include "trace/hep.hpp"

namespace tandem::trace {

/// Undecided tapes of a worker: of calls that a trace may yet want.
inline constexpr std::size_t pending_bytes_max = 1 << 20;
/// Of one call; more is counted as dropped.
inline constexpr std::size_t call_bytes_max = 1 << 20;
inline constexpr std::size_t call_entries_max = 4096;
inline constexpr std::size_t traces_max = 16;  ///< That are known, ended ones too.
/// Tapes that a reader looks at or frees before it lets the worker in between.
inline constexpr std::size_t slice_tapes = 64;
/// For so long an INVITE with credentials may follow the challenge.
inline constexpr std::int64_t credentials_wait_us = 10'000'000;

/// One trace. Members without atomics are set before others see it. Threading: thread-safe.
struct Trace {
  std::uint64_t id = 0;
  TraceRequest request;
  Filter filter;
  bool is_ring = false;
  std::int64_t started_wall_us = 0;
  std::int64_t deadline_us = 0;  ///< Monotonic.
  std::atomic<TraceEnd> end{TraceEnd::none};
  std::atomic<std::int64_t> ended_wall_us{0};
  std::atomic<bool> is_end_told{false};
  std::atomic<std::int64_t> live_calls{0};
  std::atomic<std::int64_t> credentials_until_us{0};  ///< Monotonic; a challenged call is live.
  std::atomic<std::uint64_t> calls{0}, messages{0}, bytes{0}, dropped{0};

  [[nodiscard]] bool takes_calls(std::int64_t now_us) const noexcept {
    return is_ring ||
           (end.load(std::memory_order_relaxed) == TraceEnd::none && now_us < deadline_us);
  }
  /// Of calls that it has taken.
  [[nodiscard]] bool takes_entries(std::int64_t now_us) const noexcept {
    const TraceEnd ended = end.load(std::memory_order_relaxed);
    return is_ring ||
           ((ended == TraceEnd::none || ended == TraceEnd::calls) && now_us < deadline_us);
  }
  /// More may come to it: calls, or entries of those that it has.
  [[nodiscard]] bool is_recording(std::int64_t now_us) const noexcept {
    return takes_calls(now_us) || (takes_entries(now_us) &&
                                   (live_calls.load() > 0 || now_us < credentials_until_us.load()));
  }
  /// Only the first reason counts.
  void finish(TraceEnd why, std::int64_t wall_us) noexcept;
  [[nodiscard]] TraceView view() const;
};
using TracePtr = std::shared_ptr<Trace>;

/// How a call ended, for its tape.
struct CallEnd {
  std::string_view reason;
  std::string_view text;  ///< The note.
};

/// What one worker records.
///
/// Threading: is_on() and what readers call are thread-safe; the rest is loop-bound. `mutex_`
/// guards all but `hep_`, and is held for one message, for the copy of one call, or for
/// `slice_tapes` tapes; what they held is freed after it.
class Tap {
 public:
  Tap(const Clock& clock, const TraceConfig& config, const std::atomic<bool>& is_on,
      std::size_t ring_bytes, HepCounters& hep)
      : clock_(clock),
        config_(config),
        is_on_(is_on),
        ring_bytes_(ring_bytes),
        hep_counters_(hep) {}

  /// Whether anything is traced: asked for each message.
  [[nodiscard]] bool is_on() const noexcept { return is_on_.load(std::memory_order_relaxed); }

  // The stack.
  struct Passage {
    bool is_sent = false;
    bool is_lost = false;
    SipTransport transport = SipTransport::udp;
    SocketAddress local, remote;
  };
  /// A message of a call that this worker owns.
  void on_message(const Passage& passage, std::string_view bytes) noexcept;
  Result<void> open_hep(io::Loop& loop, const SocketAddress& local);
  void close_hep() noexcept { hep_.reset(); }

  // Calls, by CallView::id. What the recorder does not know is ignored.
  /// A call begins. False: nobody wants it.
  bool open(std::uint64_t id, std::string_view call_id, const CallFacts& facts) noexcept;
  /// It is no call: its INVITE was challenged. What was recorded waits for the next one.
  void give_back(std::uint64_t id) noexcept;
  /// More is known. False: nobody wants it.
  bool decide(std::uint64_t id, const CallFacts& facts) noexcept;
  /// The next INVITE with a new Call-ID that is sent is the call's, until add_leg().
  void expect_leg(std::uint64_t id, std::string_view gateway) noexcept;
  void add_leg(std::uint64_t id, std::string_view call_id, std::string_view gateway) noexcept;
  void note(std::uint64_t id, std::string_view topic, std::string text) noexcept;
  void close(std::uint64_t id, const CallFacts& facts, const CallEnd& end) noexcept;

  // Readers.
  void set_traces(std::vector<TracePtr> traces);
  void forget(const TracePtr& trace);
  void drop_pending();
  [[nodiscard]] std::vector<TracedCallView> calls(std::uint64_t trace) const;
  [[nodiscard]] std::optional<TracedCall> call(std::uint64_t trace, std::uint64_t id) const;
  [[nodiscard]] std::size_t pending_bytes() const;
  [[nodiscard]] std::size_t tapes() const;
  /// The most tapes that a reader went through while the worker had to wait.
  [[nodiscard]] std::size_t longest_reading() const;

 private:
  /// Which of shelves_ a tape is on: undecided; in the ring and over; in the ring, up, and with
  /// something to give back; up and without; of other traces alone.
  enum class Shelf : std::uint8_t { pending, ended, live, bare, held };
  struct Tape {
    std::uint64_t number = 0;  // by which readers go on after a slice
    std::uint64_t id = 0;      // of the call that took it last; 0: none did
    TracedCallView call;
    std::vector<TraceEntry> entries;
    struct Leg {
      std::string call_id, gateway;
    };
    std::vector<Leg> legs;  // the first is the customer's
    struct Share {
      TracePtr trace;
      std::size_t bytes = 0;  // that the trace has paid for
    };
    std::vector<Share> wanted;    // traces that it belongs to
    std::vector<TracePtr> open;   // that it may yet belong to
    std::size_t bytes = 0;        // with base_bytes
    std::size_t base_bytes = 0;   // that it has without entries
    std::size_t others = 0;       // entries, the first ones, that not the ring alone has paid for
    std::size_t invite_hash = 0;  // of the last INVITE that began it: a repetition begins nothing
    std::size_t hep_next = 0;     // entries that were looked at for it
    bool is_free = true;          // for a call to take it
    bool is_over = false;
    Shelf shelf = Shelf::pending;
    std::list<std::unique_ptr<Tape>>::iterator place;
  };
  struct TextHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const noexcept {
      return std::hash<std::string_view>{}(text);
    }
  };

  using Tapes = std::list<std::unique_ptr<Tape>>;

  /// Holds the mutex; frees what was dropped meanwhile after it.
  class Turn {
   public:
    explicit Turn(Tap& tap) : tap_(tap) { tap_.mutex_.lock(); }
    ~Turn();
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;

   private:
    Tap& tap_;
  };

  Tapes& shelf(Shelf which) noexcept { return shelves_[static_cast<std::size_t>(which)]; }
  static Tape::Share* ring_share(Tape& tape) noexcept;
  static std::size_t ring_least(const Tape& tape) noexcept;
  static Shelf shelf_of(Tape& tape) noexcept;
  void put_away(Tape& tape);
  Tape& begin_tape(std::string_view call_id, std::int64_t now_us);
  [[nodiscard]] Tape* tape_of(std::uint64_t id);
  bool settle(Tape& tape, const CallFacts& facts);
  bool add_leg(Tape& tape, std::string_view call_id, std::string_view gateway);
  void join(Tape& tape, const TracePtr& trace);
  bool store(Tape& tape, TraceEntry& entry, std::int64_t now_us);
  bool send_copies(Tape& tape, std::int64_t now_us);
  void send_copy(const Tape& tape, const TraceEntry& entry);
  void drop(Tape& tape);
  void count_live(const Tape& tape, std::int64_t step) noexcept;
  void leave(Tape& tape, const TracePtr& trace);
  void settle_shares(Tape& tape);
  void keep_pending_small();
  void keep_ring_small(Tape* but);
  void strip(Tape& tape, std::size_t kept);
  static std::uint64_t cut(Tape& tape, std::size_t kept) noexcept;
  template <class Act>
  std::uint64_t walk_slice(std::uint64_t from, const Act& act) const;

  const Clock& clock_;
  const TraceConfig& config_;
  const std::atomic<bool>& is_on_;
  const std::size_t ring_bytes_;
  HepCounters& hep_counters_;
  std::unique_ptr<HepSender> hep_;

  mutable std::mutex mutex_;
  std::vector<TracePtr> traces_;  // the ring among them
  std::array<Tapes, 5> shelves_;  // by Shelf, oldest first
  Tapes gone_;                    // dropped, to be freed at the end of the turn
  std::map<std::uint64_t, Tape*> by_number_;
  std::uint64_t next_number_ = 1;
  mutable std::size_t longest_reading_ = 0;
  std::unordered_map<std::string, Tape*, TextHash, std::equal_to<>> by_leg_;  // by Call-ID
  std::unordered_map<std::uint64_t, Tape*> by_call_;
  std::uint64_t expected_id_ = 0;  // whose leg is being made; 0: none is
  std::string expected_gateway_;
  std::size_t pending_bytes_used_ = 0, ring_bytes_used_ = 0;
};

/// All traces of a switch.
///
/// Threading: thread-safe; `mutex_` guards `traces_` and `next_id_` and is taken before those of
/// taps. Taps are made with it, and open_hep() is called before the loops start.
class Recorder {
 public:
  Recorder(const Clock& clock, const TraceConfig& config, unsigned workers);

  [[nodiscard]] Tap& tap(unsigned worker) noexcept { return *taps_[worker]; }

  /// Errors: invalid_argument ("/KEY: ..."), limit (so many run, or so much memory is taken).
  Result<TraceView> start(TraceRequest request);
  /// Errors: not_found, wrong_state (it has ended).
  Result<TraceView> stop(std::uint64_t id);
  /// Errors: not_found, wrong_state (the ring).
  Result<void> remove(std::uint64_t id);
  [[nodiscard]] std::vector<TraceView> traces() const;  ///< The ring first, then in order of id.
  [[nodiscard]] Result<TraceView> trace(std::uint64_t id) const;
  /// Newest first. Errors: not_found.
  [[nodiscard]] Result<std::vector<TracedCallView>> calls(std::uint64_t id) const;
  [[nodiscard]] Result<TracedCall> call(std::uint64_t id, std::uint64_t call) const;
  /// Ends what is over by time, frees what nobody waits for; returns traces that have ended and
  /// were not yet told of. To be called each second.
  std::vector<TraceView> sweep();
  [[nodiscard]] const HepCounters& hep() const noexcept { return hep_; }

 private:
  [[nodiscard]] TracePtr find(std::uint64_t id) const;  // with mutex_ held; null: none
  void publish();                                       // likewise
  void end_by_time();                                   // likewise
  void forget(const TracePtr& trace);                   // likewise
  bool make_room(std::uint64_t bytes);                  // likewise

  const Clock& clock_;
  const TraceConfig config_;
  std::atomic<bool> is_on_{false};
  HepCounters hep_;
  std::vector<std::unique_ptr<Tap>> taps_;
  mutable std::mutex mutex_;
  std::vector<TracePtr> traces_;  // in order of id
  std::uint64_t next_id_ = 1;
};

}  // namespace tandem::trace
