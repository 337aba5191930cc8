#include "generator.hpp"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <charconv>
#include <cstdio>
#include <queue>
#include <unordered_map>

#include "message.hpp"
#include "port.hpp"

namespace tandem::load {

namespace {

constexpr std::int64_t second_us = 1'000'000;
constexpr std::int64_t rtp_tick_us = 1'000;
/// A telephone does not catch up on what it did not say. After a longer time without the processor
/// RTP goes on from now; a burst of all that was missed would be another load.
constexpr std::int64_t rtp_lag_max_us = 60'000;
constexpr std::size_t rtp_bytes_per_ms = 8;  // of G.711
constexpr std::size_t rtp_header_bytes = 12;
constexpr std::uint32_t rtp_callee_bit = 0x8000'0000;
/// RTP stops this long before a call ends, so that none of it is under way then.
constexpr std::int64_t rtp_tail_us = 200'000;
constexpr std::int64_t drain_us = 300'000;
constexpr std::int64_t glare_guard_us = 250'000;  // Hangup::alternate: the callee goes first
constexpr int starts_per_turn = 256;
constexpr std::int64_t wait_max_us = 50'000;
constexpr int branch_magic_length = 7;
constexpr const char* branch_magic = "z9hG4bK";

std::int64_t clock_us(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return std::int64_t{now.tv_sec} * second_us + now.tv_nsec / 1000;
}
std::int64_t now_us() { return clock_us(CLOCK_MONOTONIC); }

const char* phrase(int status) {
  switch (status) {
    case 180:
      return "Ringing";
    case 200:
      return "OK";
    case 404:
      return "Not Found";
    case 480:
      return "Temporarily Unavailable";
    case 481:
      return "Call/Transaction Does Not Exist";
    case 486:
      return "Busy Here";
    case 487:
      return "Request Terminated";
    case 503:
      return "Service Unavailable";
    case 603:
      return "Decline";
    default:
      return "Result";
  }
}

std::uint64_t hash(std::string_view text) {
  std::uint64_t value = 0xcbf29ce484222325;
  for (const char c : text)
    value = (value ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return value;
}

/// splitmix64: a repeatable sequence is all that is asked of it.
std::uint64_t next_random(std::uint64_t& state) {
  std::uint64_t z = (state += 0x9e3779b97f4a7c15);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

std::string with_ordinal(const std::string& pattern, std::uint64_t ordinal) {
  std::string text = pattern;
  for (std::size_t i = text.size(); i-- > 0;) {
    if (text[i] != '#') continue;
    text[i] = static_cast<char>('0' + ordinal % 10);
    ordinal /= 10;
  }
  return text;
}

std::string host_of(const sockaddr_in& address) {
  const std::string text = to_text(address);
  return text.substr(0, text.find(':'));
}

enum class Side : std::uint8_t { caller, callee };

enum class State : std::uint8_t {
  unused,
  inviting,    // caller: nothing came yet
  proceeding,  // caller: a provisional response came
  cancelling,  // caller: CANCEL is sent
  ringing,     // callee: waits before it answers, or for ever
  silent,      // callee: never answers anything
  refused,     // callee: a final response other than 2xx waits for its ACK
  answered,    // callee: the 2xx waits for its ACK
  talking,
  leaving,  // BYE is sent
  over,     // kept to answer what is repeated
};

enum class TimerKind : std::uint8_t { repeat, step };

/// A call as one of its two ends sees it.
struct Party {
  State state = State::unused;
  Behaviour behaviour;
  bool hangs_up = false;
  std::uint32_t serial = 0;
  std::uint64_t ordinal = 0;
  std::array<std::uint32_t, 2> versions{};  // by TimerKind: a timer with another one is dead

  std::string call_id, local, remote;  // local, remote: header values of From and To
  std::string target;                  // Request-URI of requests inside the dialog
  std::string routes;                  // Route lines of them
  std::string repeats;                 // what the repeat timer sends again
  std::string ack;                     // what a repeated final response gets
  sockaddr_in peer{};
  std::uint64_t key = 0;  // callee: of its entry in `by_call_id_`
  std::int64_t repeat_after_us = 0, repeat_until_us = 0;
  bool may_back_off = false;  // the interval ends at T2 (RFC 3261 section 17.1.2.2)
  std::int64_t started_us = 0, left_us = 0;

  bool has_media = false;
  sockaddr_in media_to{};
  std::int64_t media_until_us = 0;
  std::uint16_t rtp_sequence = 0;
  std::uint32_t rtp_sent = 0;
};

struct Deadline {
  std::int64_t due_us;
  std::uint32_t slot, serial, version;
  Side side;
  TimerKind kind;
  bool operator<(const Deadline& other) const { return due_us > other.due_us; }
};

struct MediaTurn {
  Side side;
  std::uint32_t slot, serial;
};

std::string json_map(const std::map<std::string, std::uint64_t>& map) {
  std::string out = "{";
  for (const auto& [name, count] : map) {
    if (out.size() > 1) out += ',';
    out += '"' + name + "\":" + std::to_string(count);
  }
  return out + '}';
}

}  // namespace

// --- what was asked for

Result<std::vector<Behaviour>> read_behaviours(std::string_view text) {
  std::vector<Behaviour> behaviours;
  while (!text.empty()) {
    const std::string_view piece = text.substr(0, text.find(','));
    text.remove_prefix(std::min(text.size(), piece.size() + 1));
    const std::size_t colon = piece.find(':');
    const std::string_view name = piece.substr(0, colon);
    Behaviour behaviour;
    bool is_good = true;
    const auto read = [&](std::string_view digits, auto& value) {
      const char* const end = digits.data() + digits.size();
      const auto [stop, error] = std::from_chars(digits.data(), end, value);
      is_good = is_good && error == std::errc() && stop == end;
    };
    if (colon != std::string_view::npos) read(piece.substr(colon + 1), behaviour.weight);
    if (name == "noanswer") {
      behaviour.kind = Behaviour::Kind::no_answer;
    } else if (name == "silent") {
      behaviour.kind = Behaviour::Kind::silent;
    } else if (name == "busy" || name.starts_with("reject")) {
      behaviour.kind = Behaviour::Kind::reject;
      behaviour.status = 486;
      if (name != "busy") read(name.substr(6), behaviour.status);
      is_good = is_good && behaviour.status >= 300 && behaviour.status <= 699;
    } else {
      is_good = is_good && name == "answer";
    }
    if (!is_good || behaviour.weight > 1'000'000) {
      return Error{ErrorCode::invalid_argument,
                   "\"" + std::string(piece) +
                       "\" is none of answer, busy, noanswer, silent, rejectSTATUS with :WEIGHT"};
    }
    if (behaviour.weight > 0) behaviours.push_back(behaviour);
  }
  if (behaviours.empty())
    return Error{ErrorCode::invalid_argument, "no behaviour has a weight above 0"};
  return behaviours;
}

// --- what came of it

namespace {
constexpr std::size_t histogram_steps = 16;  // per power of two
}  // namespace

Histogram::Histogram() : buckets_(64 * histogram_steps, 0) {}

void Histogram::add(std::int64_t us) {
  us = std::max<std::int64_t>(us, 0);
  const auto value = static_cast<std::uint64_t>(us);
  std::size_t bucket = value;
  if (value >= histogram_steps) {
    const auto power = static_cast<std::size_t>(std::bit_width(value)) - 5;
    bucket = (power + 1) * histogram_steps + (value >> power) - histogram_steps;
  }
  ++buckets_[bucket];
  ++count_;
  max_ = std::max(max_, us);
}

std::int64_t Histogram::percentile(double of) const {
  std::uint64_t left = static_cast<std::uint64_t>(static_cast<double>(count_) * of);
  for (std::size_t i = 0; i < buckets_.size(); ++i) {
    if (buckets_[i] <= left) {
      left -= buckets_[i];
      continue;
    }
    if (i < histogram_steps) return static_cast<std::int64_t>(i);
    const std::size_t power = i / histogram_steps - 1;
    const std::size_t step = i % histogram_steps + histogram_steps;
    return std::min(max_, static_cast<std::int64_t>(((step + 1) << power) - 1));
  }
  return max_;
}

std::uint64_t Report::failures() const {
  std::uint64_t sum = 0;
  for (const auto& [cause, count] : failed)
    sum += count;
  return sum;
}

std::string Report::to_json() const {
  const auto ms = [](std::int64_t us) {
    char text[32];
    std::snprintf(text, sizeof text, "%.3f", static_cast<double>(us) / 1000);
    return std::string(text);
  };
  const auto delays = [&](const Histogram& histogram) {
    return "{\"p50\":" + ms(histogram.percentile(0.5)) +
           ",\"p90\":" + ms(histogram.percentile(0.9)) +
           ",\"p99\":" + ms(histogram.percentile(0.99)) + ",\"max\":" + ms(histogram.max()) + "}";
  };
  std::string out = "{";
  const auto field = [&](const char* name, const std::string& value) {
    if (out.size() > 1) out += ',';
    out += '"' + std::string(name) + "\":" + value;
  };
  field("started", std::to_string(started));
  field("answered", std::to_string(answered));
  field("completed", std::to_string(completed));
  field("expected", std::to_string(expected));
  field("failures", std::to_string(failures()));
  field("failed", json_map(failed));
  field("callee_calls", std::to_string(callee_calls));
  field("callee", json_map(callee));
  field("retransmissions", std::to_string(retransmissions));
  field("repeated", std::to_string(repeated));
  field("unparsed", std::to_string(unparsed));
  field("live_max", std::to_string(live_max));
  field("setup_ms", delays(setup));
  field("release_ms", delays(release));
  field("rtp_sent", std::to_string(rtp_sent));
  field("rtp_received", std::to_string(rtp_received));
  field("rtp_lost", std::to_string(rtp_lost));
  field("rtp_misdelivered", std::to_string(rtp_misdelivered));
  field("rtp_paused_ms", ms(rtp_paused_us));
  field("wall_s", ms(static_cast<std::int64_t>(wall_s * 1000)));
  field("rate", ms(start_wall_s > 0 ? static_cast<std::int64_t>(static_cast<double>(started) /
                                                                start_wall_s * 1000)
                                    : 0));
  field("cpu_s", ms(static_cast<std::int64_t>(cpu_s * 1000)));
  return out + "}";
}

// --- the calls

struct Generator::Body {
  Options options;
  Report report;
  std::atomic<bool> is_interrupted{false};
  Port sip[2], rtp[2];  // by Side
  std::string hosts[2], descriptions[2];
  std::string run;  // marks what this run made
  std::vector<Party> parties[2];
  std::vector<std::uint32_t> free_slots[2];
  std::size_t live[2] = {0, 0};
  std::unordered_map<std::uint64_t, std::uint32_t> by_call_id;  // callee's slots
  std::priority_queue<Deadline> deadlines;
  std::vector<std::vector<MediaTurn>> turns;  // by the ms of a packet time in which they send
  std::int64_t next_tick = 0;
  std::vector<std::uint32_t> heard[2];  // SSRC that a relay port brought, by port; 0: none yet
  std::uint64_t random = 0;
  std::uint64_t weight_sum = 0;
  std::uint32_t next_serial = 1;
  std::uint64_t callee_ordinal = 0;
  std::int64_t now = 0;
  std::FILE* log = nullptr;
  std::string out;     // the message being written
  std::string packet;  // the RTP packet being written

  ~Body() {
    if (log != nullptr) std::fclose(log);
  }

  static int at(Side side) { return static_cast<int>(side); }
  Party& party(Side side, std::uint32_t slot) { return parties[at(side)][slot]; }

  // --- slots and timers

  std::uint32_t take_slot(Side side) {
    auto& list = free_slots[at(side)];
    auto& all = parties[at(side)];
    std::uint32_t slot = 0;
    if (list.empty()) {
      slot = static_cast<std::uint32_t>(all.size());
      all.emplace_back();
    } else {
      slot = list.back();
      list.pop_back();
    }
    Party& taken = all[slot];
    const auto versions = taken.versions;
    taken = Party{};
    taken.versions = versions;
    taken.serial = next_serial++;
    ++live[at(side)];
    return slot;
  }

  void arm(Side side, std::uint32_t slot, TimerKind kind, std::int64_t delay_us) {
    Party& p = party(side, slot);
    const std::uint32_t version = ++p.versions[static_cast<std::size_t>(kind)];
    deadlines.push({now + delay_us, slot, p.serial, version, side, kind});
  }
  void disarm(Party& p, TimerKind kind) { ++p.versions[static_cast<std::size_t>(kind)]; }

  /// Sends `repeats` and goes on sending it until disarmed.
  void send_repeating(Side side, std::uint32_t slot, std::string message, bool backs_off,
                      std::int64_t limit_us = 0) {
    Party& p = party(side, slot);
    p.repeats = std::move(message);
    p.may_back_off = backs_off;
    p.repeat_after_us = options.t1_us;
    p.repeat_until_us = now + (limit_us > 0 ? limit_us : 64 * options.t1_us);
    sip[at(side)].send(p.peer, p.repeats);
    arm(side, slot, TimerKind::repeat, std::min(p.repeat_after_us, p.repeat_until_us - now));
  }

  void end(Side side, std::uint32_t slot) {
    Party& p = party(side, slot);
    if (p.state == State::over) return;
    p.state = State::over;
    p.has_media = false;
    disarm(p, TimerKind::repeat);
    --live[at(side)];
    arm(side, slot, TimerKind::step, 64 * options.t1_us);  // then the slot is free
  }

  void fail(Side side, std::uint32_t slot, const std::string& cause) {
    ++report.failed[side == Side::caller ? cause : "callee_" + cause];
    end(side, slot);
  }

  // --- messages

  std::string handle(const Party& p, std::uint32_t slot) const {
    return run + '.' + std::to_string(slot) + '.' + std::to_string(p.serial);
  }

  /// The party that a branch or tag of ours names; nothing when it was not ours.
  Party* find(Side side, std::string_view mark, std::uint32_t& slot) {
    if (!mark.starts_with(run) || mark.size() <= run.size() || mark[run.size()] != '.')
      return nullptr;
    const char* const end = mark.data() + mark.size();
    std::uint32_t serial = 0;
    const auto first = std::from_chars(mark.data() + run.size() + 1, end, slot);
    if (first.ec != std::errc() || first.ptr == end) return nullptr;
    if (std::from_chars(first.ptr + 1, end, serial).ec != std::errc()) return nullptr;
    if (slot >= parties[at(side)].size()) return nullptr;
    Party& p = party(side, slot);
    return p.serial == serial && p.state != State::unused ? &p : nullptr;
  }

  void line(std::string_view name, std::string_view value) {
    out += name;
    out += ": ";
    out += value;
    out += "\r\n";
  }

  void close_message(Side side, bool has_description) {
    if (has_description) {
      line("Content-Type", "application/sdp");
      line("Content-Length", std::to_string(descriptions[at(side)].size()));
      out += "\r\n" + descriptions[at(side)];
    } else {
      out += "Content-Length: 0\r\n\r\n";
    }
  }

  std::string contact(Side side) const { return "<sip:load@" + hosts[at(side)] + ">"; }

  /// A request of `p`; `branch` tells transactions of one call apart.
  std::string request(Side side, std::uint32_t slot, std::string_view method, int cseq,
                      std::string_view branch, std::string_view uri, bool has_description) {
    const Party& p = party(side, slot);
    out.clear();
    out.append(method).append(" ").append(uri).append(" SIP/2.0\r\n");
    out.append("Via: SIP/2.0/UDP ").append(hosts[at(side)]).append(";branch=");
    out.append(branch_magic).append(handle(p, slot)).append(branch).append("\r\n");
    out += p.routes;
    line("From", p.local);
    line("To", p.remote);
    line("Call-ID", p.call_id);
    out.append("CSeq: ").append(std::to_string(cseq)).append(" ").append(method).append("\r\n");
    line("Max-Forwards", "70");
    if (has_description) line("Contact", contact(side));
    close_message(side, has_description);
    return out;
  }

  std::string response(Side side, const Message& request, int status, std::string_view to,
                       bool has_description) {
    out.clear();
    out += "SIP/2.0 " + std::to_string(status) + ' ' + phrase(status) + "\r\n";
    for (std::size_t i = 0; i < request.via_count; ++i)
      line("Via", request.vias[i]);
    for (std::size_t i = 0; i < request.record_route_count; ++i)
      line("Record-Route", request.record_routes[i]);
    line("From", request.from);
    line("To", to);
    line("Call-ID", request.call_id);
    line("CSeq", request.cseq);
    if (status < 300) line("Contact", contact(side));
    close_message(side, has_description);
    return out;
  }

  // --- the caller

  void start_call() {
    const std::uint32_t slot = take_slot(Side::caller);
    Party& p = party(Side::caller, slot);
    p.ordinal = report.started++;
    p.started_us = now;
    p.state = State::inviting;
    p.hangs_up = options.hangup != Hangup::callee;
    p.peer = options.target;
    const std::string mark = handle(p, slot);
    p.call_id = mark + '@' + host_of(sip[0].local());
    const std::string uri =
        "sip:" + with_ordinal(options.callee, p.ordinal) + '@' + to_text(options.target);
    p.local = "<sip:" + with_ordinal(options.caller, p.ordinal) + '@' + hosts[0] + ">;tag=" + mark;
    p.remote = '<' + uri + '>';
    p.target = uri;
    send_repeating(Side::caller, slot, request(Side::caller, slot, "INVITE", 1, ".I", uri, true),
                   false, options.invite_timeout_us);
    if (options.patience_us > 0) arm(Side::caller, slot, TimerKind::step, options.patience_us);
    report.live_max = std::max<std::uint64_t>(report.live_max, live[0]);
  }

  bool is_expected(int status) const {
    for (const Behaviour& behaviour : options.behaviours) {
      switch (behaviour.kind) {
        case Behaviour::Kind::answer:
          break;
        case Behaviour::Kind::reject:
          if (status == behaviour.status) return true;
          break;
        case Behaviour::Kind::no_answer:
          if (status == 480 || status == 487 || status == 408) return true;
          break;
        case Behaviour::Kind::silent:
          if (status == 408 || status == 480 || status == 487 || status == 503 || status == 504)
            return true;
          break;
      }
    }
    return false;
  }

  void on_invite_response(std::uint32_t slot, const Message& m) {
    Party& p = party(Side::caller, slot);
    const bool is_open =
        p.state == State::inviting || p.state == State::proceeding || p.state == State::cancelling;
    if (!is_open) {
      if (m.status >= 200) {
        ++report.repeated;
        if (!p.ack.empty()) sip[0].send(p.peer, p.ack);
      }
      return;
    }
    if (m.status < 200) {
      if (p.state == State::inviting) {
        p.state = State::proceeding;
        disarm(p, TimerKind::repeat);
      }
      return;
    }
    disarm(p, TimerKind::repeat);
    disarm(p, TimerKind::step);
    p.remote = m.to;
    if (m.status >= 300) {
      p.ack = request(Side::caller, slot, "ACK", 1, ".I", p.target, false);
      sip[0].send(p.peer, p.ack);
      if (is_expected(m.status)) {
        ++report.expected;
        end(Side::caller, slot);
      } else {
        fail(Side::caller, slot, "status_" + std::to_string(m.status));
      }
      return;
    }
    const bool is_cancelled = p.state == State::cancelling;
    ++report.answered;
    report.setup.add(now - p.started_us - options.ring_us);
    if (log != nullptr) {
      std::fprintf(log, "%s %lld\n", p.call_id.c_str(),
                   static_cast<long long>(clock_us(CLOCK_REALTIME)));
    }
    if (!m.contact.empty()) p.target = m.contact_uri();
    for (std::size_t i = m.record_route_count; i-- > 0;)
      p.routes.append("Route: ").append(m.record_routes[i]).append("\r\n");
    p.ack = request(Side::caller, slot, "ACK", 1, ".A", p.target, false);
    sip[0].send(p.peer, p.ack);
    p.state = State::talking;
    start_media(Side::caller, slot, m.body);
    if (is_cancelled) {
      leave(Side::caller, slot);
    } else if (p.hangs_up) {
      arm(Side::caller, slot, TimerKind::step,
          options.hold_us + (options.hangup == Hangup::alternate ? glare_guard_us : 0));
    }
  }

  void cancel(std::uint32_t slot) {
    Party& p = party(Side::caller, slot);
    p.state = State::cancelling;
    send_repeating(Side::caller, slot,
                   request(Side::caller, slot, "CANCEL", 1, ".I", p.target, false), true);
    arm(Side::caller, slot, TimerKind::step, 64 * options.t1_us);
  }

  // --- the called party

  void on_invite(const Message& m, const sockaddr_in& source) {
    const std::uint64_t key = hash(m.call_id);
    if (const auto known = by_call_id.find(key); known != by_call_id.end()) {
      ++report.repeated;
      Party& p = party(Side::callee, known->second);
      if (p.state == State::ringing || p.state == State::refused || p.state == State::answered)
        sip[1].send(source, p.repeats);
      return;
    }
    const std::uint32_t slot = take_slot(Side::callee);
    Party& p = party(Side::callee, slot);
    by_call_id.emplace(key, slot);
    ++report.callee_calls;
    p.ordinal = callee_ordinal++;
    p.key = key;
    p.started_us = now;
    p.call_id = m.call_id;
    p.remote = m.from;
    p.local = std::string(m.to) + ";tag=" + handle(p, slot);
    p.peer = source;
    p.target = m.contact_uri();
    for (std::size_t i = 0; i < m.record_route_count; ++i)
      p.routes.append("Route: ").append(m.record_routes[i]).append("\r\n");
    p.behaviour = choose();
    p.hangs_up = options.hangup == Hangup::callee ||
                 (options.hangup == Hangup::alternate && p.ordinal % 2 == 0);
    if (p.behaviour.kind == Behaviour::Kind::silent) {
      ++report.callee["silent"];
      p.state = State::silent;
      end(Side::callee, slot);  // kept only to know the request when it is repeated
      return;
    }
    p.state = State::ringing;
    p.repeats = response(Side::callee, m, 180, p.local, false);
    sip[1].send(p.peer, p.repeats);
    if (p.behaviour.kind == Behaviour::Kind::no_answer) return;
    const bool is_answer = p.behaviour.kind == Behaviour::Kind::answer;
    p.ack = response(Side::callee, m, p.behaviour.status, p.local, is_answer);  // for later
    start_media_later(slot, m.body);
    if (options.ring_us > 0) {
      arm(Side::callee, slot, TimerKind::step, options.ring_us);
    } else {
      respond_finally(slot);
    }
  }

  Behaviour choose() {
    std::uint64_t draw = next_random(random) % weight_sum;
    for (const Behaviour& behaviour : options.behaviours) {
      if (draw < behaviour.weight) return behaviour;
      draw -= behaviour.weight;
    }
    return options.behaviours.back();
  }

  void respond_finally(std::uint32_t slot) {
    Party& p = party(Side::callee, slot);
    const bool is_answer = p.behaviour.kind == Behaviour::Kind::answer;
    ++report.callee[is_answer ? "answered" : "rejected_" + std::to_string(p.behaviour.status)];
    p.state = is_answer ? State::answered : State::refused;
    send_repeating(Side::callee, slot, std::move(p.ack), true);
    p.ack.clear();
  }

  void on_ack(std::uint32_t slot) {
    Party& p = party(Side::callee, slot);
    if (p.state == State::refused) {
      end(Side::callee, slot);
    } else if (p.state == State::answered) {
      disarm(p, TimerKind::repeat);
      p.state = State::talking;
      enter_turns(Side::callee, slot);
      if (p.hangs_up) arm(Side::callee, slot, TimerKind::step, options.hold_us);
    }
  }

  void on_cancel(const Message& m, const sockaddr_in& source) {
    const auto known = by_call_id.find(hash(m.call_id));
    if (known == by_call_id.end()) {
      sip[1].send(source, response(Side::callee, m, 481, m.to, false));
      return;
    }
    const std::uint32_t slot = known->second;
    Party& p = party(Side::callee, slot);
    sip[1].send(source, response(Side::callee, m, 200, p.local, false));
    if (p.state != State::ringing) return;
    ++report.callee["cancelled"];
    disarm(p, TimerKind::step);
    // The INVITE has the Via, Call-ID and From of its CANCEL (RFC 3261 section 9.1).
    Message invite = m;
    const std::string cseq = std::to_string(m.cseq_number()) + " INVITE";
    invite.cseq = cseq;
    p.state = State::refused;
    send_repeating(Side::callee, slot, response(Side::callee, invite, 487, p.local, false), true);
  }

  // --- both

  void leave(Side side, std::uint32_t slot) {
    Party& p = party(side, slot);
    p.state = State::leaving;
    p.has_media = false;
    p.left_us = now;
    send_repeating(side, slot,
                   request(side, slot, "BYE", side == Side::caller ? 2 : 1, ".B", p.target, false),
                   true);
  }

  void on_bye(Side side, std::uint32_t slot) {
    Party& p = party(side, slot);
    if (p.state == State::over) {
      ++report.repeated;
      return;
    }
    disarm(p, TimerKind::step);
    if (side == Side::caller) ++report.completed;
    end(side, slot);
  }

  void on_bye_response(Side side, std::uint32_t slot, int status) {
    Party& p = party(side, slot);
    if (p.state != State::leaving || status < 200) return;
    report.release.add(now - p.left_us);
    if (status >= 300) {
      fail(side, slot, "bye_" + std::to_string(status));
      return;
    }
    if (side == Side::caller) ++report.completed;
    end(side, slot);
  }

  void on_timer(const Deadline& deadline) {
    if (deadline.slot >= parties[at(deadline.side)].size()) return;
    Party& p = party(deadline.side, deadline.slot);
    if (p.serial != deadline.serial ||
        p.versions[static_cast<std::size_t>(deadline.kind)] != deadline.version)
      return;
    if (deadline.kind == TimerKind::repeat) {
      repeat(deadline.side, deadline.slot);
    } else {
      step(deadline.side, deadline.slot);
    }
  }

  void repeat(Side side, std::uint32_t slot) {
    Party& p = party(side, slot);
    if (now >= p.repeat_until_us) {
      switch (p.state) {
        case State::inviting:
          fail(side, slot, "invite_timeout");
          return;
        case State::cancelling:
          fail(side, slot, "cancel_timeout");
          return;
        case State::leaving:
          fail(side, slot, "bye_timeout");
          return;
        case State::answered:
          fail(side, slot, "no_ack");
          return;
        case State::refused:
          fail(side, slot, "no_ack_of_refusal");
          return;
        default:
          return;
      }
    }
    ++report.retransmissions;
    sip[at(side)].send(p.peer, p.repeats);
    p.repeat_after_us *= 2;
    if (p.may_back_off) p.repeat_after_us = std::min(p.repeat_after_us, 8 * options.t1_us);
    arm(side, slot, TimerKind::repeat, std::min(p.repeat_after_us, p.repeat_until_us - now));
  }

  void step(Side side, std::uint32_t slot) {
    Party& p = party(side, slot);
    switch (p.state) {
      case State::inviting:
        break;  // CANCEL waits for a response (RFC 3261 section 9.1)
      case State::proceeding:
        cancel(slot);
        break;
      case State::cancelling:
        fail(side, slot, "no_final_response");
        break;
      case State::ringing:
        respond_finally(slot);
        break;
      case State::talking:
        leave(side, slot);
        break;
      case State::over:
        p.state = State::unused;
        if (side == Side::callee) by_call_id.erase(p.key);
        free_slots[at(side)].push_back(slot);
        break;
      default:
        break;
    }
  }

  void on_datagram(Side side, std::string_view bytes, const sockaddr_in& source) {
    const auto m = parse(bytes);
    if (!m) {
      ++report.unparsed;
      return;
    }
    std::uint32_t slot = 0;
    if (!m->is_request) {
      std::string_view branch = m->branch();
      branch.remove_prefix(std::min<std::size_t>(branch.size(), branch_magic_length));
      if (find(side, branch, slot) == nullptr) return;
      if (m->method == "INVITE") {
        on_invite_response(slot, *m);
      } else if (m->method == "BYE") {
        on_bye_response(side, slot, m->status);
      } else if (m->method == "CANCEL" && party(side, slot).state == State::cancelling) {
        disarm(party(side, slot), TimerKind::repeat);
      }
      return;
    }
    const std::string_view tag = parameter(m->to, "tag");
    if (tag.empty()) {
      if (side == Side::callee && m->method == "INVITE") {
        on_invite(*m, source);
      } else if (side == Side::callee && m->method == "CANCEL") {
        on_cancel(*m, source);
      } else if (m->method != "ACK") {
        sip[at(side)].send(source, response(side, *m, m->method == "OPTIONS" ? 200 : 481,
                                            std::string(m->to) + ";tag=" + run, false));
      }
      return;
    }
    Party* const p = find(side, tag, slot);
    if (m->method == "ACK") {
      if (p != nullptr && side == Side::callee) on_ack(slot);
      return;
    }
    if (p == nullptr) {
      sip[at(side)].send(source, response(side, *m, 481, m->to, false));
      return;
    }
    // Session refreshes are agreed to as they are; the description stays what it was.
    sip[at(side)].send(source, response(side, *m, 200, m->to, m->method == "INVITE"));
    if (m->method == "BYE") on_bye(side, slot);
  }

  // --- media

  /// The called party learns at the INVITE where its media goes, and sends from the ACK on.
  void start_media_later(std::uint32_t slot, std::string_view description) {
    set_media(Side::callee, slot, description);
    party(Side::callee, slot).has_media = false;
  }

  void start_media(Side side, std::uint32_t slot, std::string_view description) {
    set_media(side, slot, description);
    enter_turns(side, slot);
  }

  void set_media(Side side, std::uint32_t slot, std::string_view description) {
    if (!options.with_rtp) return;
    const auto media = audio_address(description);
    Party& p = party(side, slot);
    if (!media || inet_pton(AF_INET, media->address.c_str(), &p.media_to.sin_addr) != 1) {
      ++report.failed[side == Side::caller ? "no_media_address" : "callee_no_media_address"];
      return;
    }
    p.media_to.sin_family = AF_INET;
    p.media_to.sin_port = htons(media->port);
    heard[at(side)][media->port] = 0;
  }

  void enter_turns(Side side, std::uint32_t slot) {
    Party& p = party(side, slot);
    if (!options.with_rtp || p.media_to.sin_port == 0) return;
    p.has_media = true;
    p.media_until_us = now + std::max<std::int64_t>(0, options.hold_us - rtp_tail_us);
    turns[p.serial % turns.size()].push_back({side, slot, p.serial});
  }

  [[nodiscard]] std::size_t payload_bytes() const { return turns.size() * rtp_bytes_per_ms; }

  void send_media(std::int64_t tick) {
    auto& due = turns[static_cast<std::size_t>(tick) % turns.size()];
    std::size_t kept = 0;
    packet.assign(rtp_header_bytes + payload_bytes(), static_cast<char>(0xd5));  // A-law silence
    for (const MediaTurn& turn : due) {
      Party& p = party(turn.side, turn.slot);
      if (p.serial != turn.serial || !p.has_media || now >= p.media_until_us) continue;
      due[kept++] = turn;
      const std::uint32_t ssrc =
          p.serial | (turn.side == Side::callee ? rtp_callee_bit : std::uint32_t{0});
      const std::uint32_t timestamp = static_cast<std::uint32_t>(p.rtp_sent * payload_bytes());
      packet[0] = static_cast<char>(0x80);
      packet[1] = 8;
      const auto put = [&](std::size_t offset, std::uint32_t value, int bytes) {
        for (int i = 0; i < bytes; ++i)
          packet[offset + static_cast<std::size_t>(i)] =
              static_cast<char>(value >> (8 * (bytes - 1 - i)));
      };
      put(2, p.rtp_sequence++, 2);
      put(4, timestamp, 4);
      put(8, ssrc, 4);
      rtp[at(turn.side)].send(p.media_to, packet);
      ++p.rtp_sent;
      ++report.rtp_sent;
    }
    due.resize(kept);
  }

  void on_media(Side side, std::string_view bytes, const sockaddr_in& source) {
    if (bytes.size() != rtp_header_bytes + payload_bytes()) return;
    std::uint32_t ssrc = 0;
    for (std::size_t i = 8; i < rtp_header_bytes; ++i)
      ssrc = ssrc << 8 | static_cast<unsigned char>(bytes[i]);
    const bool is_from_other_side = ((ssrc & rtp_callee_bit) != 0) == (side == Side::caller);
    // Without a relay between, all calls have the one port of the other side.
    const bool is_relayed = source.sin_port != rtp[1 - at(side)].local().sin_port;
    std::uint32_t& known = heard[at(side)][ntohs(source.sin_port)];
    if (!is_from_other_side || (is_relayed && known != 0 && known != ssrc)) {
      ++report.rtp_misdelivered;
      return;
    }
    known = ssrc;
    ++report.rtp_received;
  }

  // --- the loop

  void start_due_calls(std::int64_t begin_us, bool& is_all_started) {
    if (is_all_started) return;
    const double elapsed_s = static_cast<double>(now - begin_us) / second_us;
    auto wanted = static_cast<std::uint64_t>(elapsed_s * options.calls_per_s) + 1;
    if (options.calls > 0) wanted = std::min(wanted, options.calls);
    for (int i = 0; i < starts_per_turn && report.started < wanted; ++i) {
      if (live[0] >= options.live_max) break;
      start_call();
    }
    const bool has_all = options.calls > 0 && report.started >= options.calls;
    const bool is_late = options.seconds > 0 && elapsed_s >= options.seconds;
    if (has_all || is_late || is_interrupted.load(std::memory_order_relaxed)) {
      is_all_started = true;
      report.start_wall_s = elapsed_s;
    }
  }

  void show_progress(std::int64_t begin_us) const {
    std::fprintf(stderr,
                 "%lld s: %llu started, %zu live, %llu answered, %llu completed, %llu failed, "
                 "%llu retransmitted, %llu RTP sent, %llu received\n",
                 static_cast<long long>((now - begin_us) / second_us),
                 static_cast<unsigned long long>(report.started), live[0],
                 static_cast<unsigned long long>(report.answered),
                 static_cast<unsigned long long>(report.completed),
                 static_cast<unsigned long long>(report.failures()),
                 static_cast<unsigned long long>(report.retransmissions),
                 static_cast<unsigned long long>(report.rtp_sent),
                 static_cast<unsigned long long>(report.rtp_received));
  }

  void wait(std::int64_t limit_us, bool is_starting) {
    std::int64_t until_us = limit_us;
    if (!deadlines.empty()) until_us = std::min(until_us, deadlines.top().due_us);
    if (options.with_rtp) until_us = std::min(until_us, (next_tick)*rtp_tick_us);
    const auto interval_us = static_cast<std::int64_t>(second_us / options.calls_per_s);
    if (is_starting) until_us = std::min(until_us, now + interval_us);
    const std::int64_t wait_us = std::clamp<std::int64_t>(until_us - now, 0, wait_max_us);
    const timespec timeout{wait_us / second_us, (wait_us % second_us) * 1000};
    pollfd readable[4] = {{sip[0].fd(), POLLIN, 0}, {sip[1].fd(), POLLIN, 0}};
    nfds_t count = 2;
    if (options.with_rtp) {
      readable[2] = {rtp[0].fd(), POLLIN, 0};
      readable[3] = {rtp[1].fd(), POLLIN, 0};
      count = 4;
    }
    (void)::ppoll(readable, count, &timeout, nullptr);
  }

  void run_turn() {
    for (const Side side : {Side::caller, Side::callee}) {
      sip[at(side)].receive(
          [&](std::string_view bytes, const sockaddr_in& from) { on_datagram(side, bytes, from); });
      if (!options.with_rtp) continue;
      while (rtp[at(side)].receive([&](std::string_view bytes, const sockaddr_in& from) {
        on_media(side, bytes, from);
      }) > 0) {
      }
    }
    while (!deadlines.empty() && deadlines.top().due_us <= now) {
      const Deadline due = deadlines.top();
      deadlines.pop();
      on_timer(due);
    }
    if (options.with_rtp) {
      const std::int64_t lag_us = now - next_tick * rtp_tick_us;
      if (lag_us > rtp_lag_max_us) {
        next_tick += lag_us / rtp_tick_us;
        report.rtp_paused_us += lag_us;
      }
      for (; next_tick * rtp_tick_us <= now; ++next_tick)
        send_media(next_tick);
    }
    for (const Side side : {Side::caller, Side::callee}) {
      sip[at(side)].flush();
      if (options.with_rtp) rtp[at(side)].flush();
    }
  }

  Report make_calls() {
    now = now_us();
    const std::int64_t begin_us = now;
    rusage before{};
    getrusage(RUSAGE_THREAD, &before);
    next_tick = now / rtp_tick_us;
    std::int64_t next_second_us = now + second_us;
    std::int64_t idle_since_us = 0;
    bool is_all_started = false;
    for (;;) {
      now = now_us();
      start_due_calls(begin_us, is_all_started);
      run_turn();
      if (now >= next_second_us) {
        next_second_us += second_us;
        if (log != nullptr) std::fflush(log);
        if (options.shows_progress) show_progress(begin_us);
      }
      const bool is_idle = is_all_started && live[0] == 0 && live[1] == 0;
      if (!is_idle) idle_since_us = 0;
      if (is_idle && idle_since_us == 0) idle_since_us = now;
      if (is_idle && now - idle_since_us >= drain_us) break;
      if (is_interrupted.load(std::memory_order_relaxed)) break;
      wait(next_second_us, !is_all_started);
    }
    rusage after{};
    getrusage(RUSAGE_THREAD, &after);
    const auto cpu_s = [](const rusage& usage) {
      return static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
             static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / second_us;
    };
    report.cpu_s = cpu_s(after) - cpu_s(before);
    report.wall_s = static_cast<double>(now - begin_us) / second_us;
    report.rtp_lost = report.rtp_sent - std::min(report.rtp_sent, report.rtp_received);
    if (log != nullptr) std::fflush(log);
    return report;
  }
};

Generator::Generator(std::unique_ptr<Body> body) : body_(std::move(body)) {}
Generator::~Generator() = default;
Generator::Generator(Generator&&) noexcept = default;

Result<Generator> Generator::open(Options options) {
  if (!(options.calls_per_s > 0)) return Error{ErrorCode::invalid_argument, "rate is not above 0"};
  if (options.calls == 0 && !(options.seconds > 0))
    return Error{ErrorCode::invalid_argument, "neither a number of calls nor a time was given"};
  auto body = std::make_unique<Body>();
  body->options = std::move(options);
  const Options& o = body->options;
  const sockaddr_in* const addresses[2] = {&o.from, &o.uas};
  for (int side = 0; side < 2; ++side) {
    if (auto opened = body->sip[side].open(*addresses[side]); !opened) return opened.error();
    body->hosts[side] = to_text(body->sip[side].local());
    std::uint16_t media_port = 9;  // discard: what is offered when no RTP is wanted
    if (o.with_rtp) {
      sockaddr_in media = *addresses[side];
      media.sin_port = 0;
      if (auto opened = body->rtp[side].open(media); !opened) return opened.error();
      media_port = ntohs(body->rtp[side].local().sin_port);
    }
    const std::string host = host_of(body->sip[side].local());
    body->descriptions[side] = "v=0\r\no=load 1 1 IN IP4 " + host + "\r\ns=-\r\nc=IN IP4 " + host +
                               "\r\nt=0 0\r\nm=audio " + std::to_string(media_port) +
                               " RTP/AVP 8 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:101 "
                               "telephone-event/8000\r\na=ptime:" +
                               std::to_string(o.ptime_ms) + "\r\n";
    body->heard[side].assign(65536, 0);
  }
  body->turns.resize(static_cast<std::size_t>(o.ptime_ms));
  for (const Behaviour& behaviour : o.behaviours)
    body->weight_sum += behaviour.weight;
  body->random = o.seed;
  char run[32];
  std::snprintf(run, sizeof run, "%llx", static_cast<unsigned long long>(clock_us(CLOCK_REALTIME)));
  body->run = run;
  if (!o.answered_log.empty()) {
    body->log = std::fopen(o.answered_log.c_str(), "w");
    if (body->log == nullptr)
      return Error{ErrorCode::io, o.answered_log + " could not be opened: " + strerror(errno)};
  }
  return Generator(std::move(body));
}

sockaddr_in Generator::caller_address() const { return body_->sip[0].local(); }
sockaddr_in Generator::callee_address() const { return body_->sip[1].local(); }
Report Generator::run() { return body_->make_calls(); }
void Generator::interrupt() noexcept {
  body_->is_interrupted.store(true, std::memory_order_relaxed);
}

}  // namespace tandem::load
