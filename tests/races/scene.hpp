// A switch between raw ends, in which one order of acts after the other is played.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "races/party.hpp"
#include "races/referee.hpp"
#include "tandem/sim.hpp"

namespace tandem::races {

/// A way to set up the switch and its peers, and the orders to begin with.
struct Setting {
  std::string name;
  bool has_offer = true;  ///< Of the caller's INVITE.
  bool rel100 = false, timers = false, has_failover = false, refers = false, has_other_call = false;
  bool is_at_once = false;     ///< Acts do not wait for what the switch does about them.
  bool challenges = false;     ///< The vendors want to know who calls (RFC 3261 section 22).
  bool is_poor = false;        ///< The customer can pay for a few seconds.
  bool has_slow_disk = false;  ///< Answers wait for it as long as they may.
  bool has_replacer = false;   ///< Another device of the caller's asks for its place (RFC 3891).
  bool has_keys = false;       ///< The caller may transfer by DTMF keys (T-05).
  bool forks = false;  ///< The callee is a phone that has both vendors called at once (T-02).
  std::vector<std::string> origins;  ///< Acts parted by spaces, from which all others go on.
};
const std::vector<Setting>& settings();
const Setting* find_setting(std::string_view name);

struct Outcome {
  std::vector<std::string> breaches;  ///< Of rules of the protocol, and of what every call owes.
  std::vector<std::string> played;    ///< Acts, the last one says how the ends end.
  std::size_t packets = 0;
};

/// Says what happens next. `acts`: possible now; `state`: equal where everything that can be seen
/// is equal. Nothing: stop here, this state is known.
using Chooser = std::function<std::optional<std::string>(const std::vector<std::string>& acts,
                                                         std::uint64_t state)>;

/// Acts of the scene beside those of its parties ("a." the caller, "b." the vendor, "c." the second
/// vendor, "d." who makes the other call, or asks for the caller's place):
///
///   x.lost     the next message of the switch to x gets lost
///   x.off      nothing comes from x any more, and nothing reaches it
///   t m T      600 ms, 12 s, 35 s pass
///   w          the switch does what it has to; where acts do not wait for that by themselves
///   s.end      the operator ends the call
///   rest       the end: everybody goes on by the rules, and the caller hangs up
///   silence    the end: nobody says anything any more
class Scene {
 public:
  explicit Scene(const Setting& setting);
  ~Scene();
  Scene(const Scene&) = delete;
  Scene& operator=(const Scene&) = delete;

  Outcome play(const Chooser& choose);
  /// Acts that are not possible are left out.
  Outcome replay(const std::vector<std::string>& acts);
  void set_verbose(bool verbose) { is_verbose_ = verbose; }

 private:
  struct Before;
  void begin();
  std::vector<std::string> possible() const;
  std::uint64_t state() const;
  void perform(const std::string& act);
  void end(bool in_silence);
  bool is_idle() const;
  void check_books(const Before& before, Outcome& outcome);
  void run_us(std::int64_t us) { world_.run_for_us(us); }
  Party* party(std::string_view name);

  const Setting& setting_;
  sim::World world_;
  std::unique_ptr<Switch> switch_;
  std::vector<sim::RawEndpoint*> wires_;
  std::vector<std::unique_ptr<Party>> parties_;
  std::unique_ptr<Referee> referee_;
  std::uint64_t calls_ = 0;
  int short_waits_ = 0, middle_waits_ = 0, long_waits_ = 0, losses_ = 0, offs_ = 0, ends_ = 0;
  bool is_verbose_ = false;
  std::int64_t began_us_ = 0;
};

std::vector<std::string> split_acts(std::string_view text);
std::string join_acts(const std::vector<std::string>& acts);

}  // namespace tandem::races
