#include "base/timer_wheel.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <limits>
#include <memory>
#include <set>
#include <stdexcept>
#include <vector>

#include "tandem/clock.hpp"

using namespace tandem;

namespace {

struct Bell {
  TimerWheel& wheel;
  int rings = 0;
  std::int64_t rang_at_us = 0;
  Timer timer{Timer::member<&Bell::ring, Bell>(), this};
  explicit Bell(TimerWheel& w) : wheel(w) {}
  void ring() {
    ++rings;
    rang_at_us = wheel.now_us();
  }
};

// The oracle: a list of what is pending, looked through from end to end.
class World {
 public:
  World(std::uint64_t seed, std::int64_t start_us)
      : random_(seed), now_us_(start_us), start_us_(start_us), wheel_(start_us) {
    for (std::size_t i = 0; i < 400; ++i)
      timers_.push_back(make(i));
  }

  void run(int steps) {
    for (int i = 0; i < steps && errors == 0; ++i) {
      for (auto n = random_.below(20); n > 0; --n)
        act();
      std::int64_t step_us = static_cast<std::int64_t>(random_.below(3000));
      if (random_.below(50) == 0) step_us = static_cast<std::int64_t>(random_.below(400'000'000));
      if (random_.below(400) == 0)
        step_us = static_cast<std::int64_t>(random_.below(6'000'000'000'000));
      if (random_.below(5) == 0 &&
          wheel_.next_expiry_us() != std::numeric_limits<std::int64_t>::max()) {
        step_us = std::max<std::int64_t>(0, wheel_.next_expiry_us() - now_us_);
      }
      advance(now_us_ + step_us);
    }
  }

  int errors = 0;
  std::uint64_t fired = 0;

 private:
  struct Pending {
    std::uint64_t tick;
    std::uint64_t order;
    std::size_t index;
    std::int64_t due_us;
  };
  struct Slot {
    World* world;
    std::size_t index;
  };

  std::unique_ptr<Timer> make(std::size_t index) {
    slots_.push_back(std::make_unique<Slot>(Slot{this, index}));
    return std::make_unique<Timer>(
        [](void* context) {
          auto* slot = static_cast<Slot*>(context);
          slot->world->on_fire(slot->index);
        },
        slots_.back().get());
  }

  void forget(std::size_t index) {
    std::erase_if(pending_, [index](const Pending& p) { return p.index == index; });
  }

  void start(std::size_t index) {
    std::int64_t delay_us = static_cast<std::int64_t>(random_.below(40)) * 250;
    switch (random_.below(12)) {
      case 0:
        delay_us = -static_cast<std::int64_t>(random_.below(5000));
        break;
      case 1:
        delay_us = static_cast<std::int64_t>(random_.below(300'000));
        break;
      case 2:
        delay_us = static_cast<std::int64_t>(random_.below(70'000'000));
        break;
      case 3:
        delay_us = static_cast<std::int64_t>(random_.below(20'000'000'000));
        break;
      case 4:
        delay_us = static_cast<std::int64_t>(random_.below(9'000'000'000'000));
        break;
      default:
        break;
    }
    forget(index);
    const bool is_shared = random_.below(4) == 0;
    if (is_shared) {
      wheel_.start_shared(*timers_[index], delay_us);
    } else {
      wheel_.start(*timers_[index], delay_us);
    }
    const std::int64_t due_us = now_us_ + std::max<std::int64_t>(0, delay_us);
    std::uint64_t tick = static_cast<std::uint64_t>((due_us - start_us_ + 999) / 1000);
    tick = std::max(tick, tick_ + 1);
    while (is_shared && delay_us > 0 && tick % 16 != 0)
      ++tick;
    pending_.push_back({tick, order_++, index, due_us});
  }

  void act() {
    const std::size_t index = random_.below(timers_.size());
    switch (random_.below(10)) {
      case 0:
      case 1:
        forget(index);
        timers_[index]->cancel();
        break;
      case 2:
        if (index == firing_ && random_.below(2)) break;
        forget(index);
        timers_[index] = make(index);  // destroys the former one, pending or not
        break;
      default:
        start(index);
        break;
    }
    if (wheel_.pending() != pending_.size()) ++errors;
  }

  void advance(std::int64_t now_us) {
    now_us_ = std::max(now_us, now_us_);
    target_ = static_cast<std::uint64_t>((now_us_ - start_us_) / 1000);
    wheel_.advance(now_us);
    tick_ = std::max(tick_, target_);
    for (const Pending& p : pending_) {
      if (p.tick <= target_) ++errors;  // late
    }
    std::int64_t earliest_us = std::numeric_limits<std::int64_t>::max();
    for (const Pending& p : pending_) {
      earliest_us = std::min(earliest_us, start_us_ + static_cast<std::int64_t>(p.tick) * 1000);
    }
    const std::int64_t told_us = wheel_.next_expiry_us();
    if (told_us > earliest_us || (!pending_.empty() && told_us <= now_us_ - 1000)) ++errors;
    if (pending_.empty() && told_us != earliest_us) ++errors;
    const auto tick_of_us = [this](std::int64_t us) {
      return static_cast<std::uint64_t>((us - start_us_) / 1000);
    };
    if (!pending_.empty() && tick_of_us(earliest_us) >> 8 == tick_ >> 8 && told_us != earliest_us)
      ++errors;
  }

  void on_fire(std::size_t index) {
    ++fired;
    const auto first =
        std::min_element(pending_.begin(), pending_.end(), [](const Pending& a, const Pending& b) {
          return a.tick != b.tick ? a.tick < b.tick : a.order < b.order;
        });
    if (first == pending_.end() || first->index != index || first->tick > target_ ||
        first->due_us > now_us_) {
      ++errors;
      return;
    }
    tick_ = first->tick;
    pending_.erase(first);
    firing_ = index;
    if (timers_[index]->is_pending()) ++errors;
    for (auto n = random_.below(4); n > 0; --n)
      act();  // may destroy the timer that fires
    firing_ = timers_.size();
  }

  SeededRandom random_;
  std::int64_t now_us_;
  std::int64_t start_us_;
  std::uint64_t tick_ = 0;
  std::uint64_t target_ = 0;
  std::uint64_t order_ = 0;
  std::size_t firing_ = 1'000'000;
  TimerWheel wheel_;
  std::vector<std::unique_ptr<Timer>> timers_;
  std::vector<std::unique_ptr<Slot>> slots_;
  std::vector<Pending> pending_;
};

}  // namespace

TEST_CASE("TimerWheel: a timer fires once, never early and at most one tick late") {
  for (std::int64_t delay_us : {1LL, 999LL, 1000LL, 1001LL, 255'000LL, 256'000LL, 65'536'000LL,
                                16'777'216'000LL, 4'294'967'296'000LL, 9'000'000'000'000LL}) {
    CAPTURE(delay_us);
    TimerWheel wheel(12'345);
    Bell bell(wheel);
    wheel.start(bell.timer, delay_us);
    CHECK(wheel.pending() == 1);
    wheel.advance(12'345 + delay_us - 1);
    CHECK(bell.rings == 0);
    wheel.advance(12'345 + delay_us + 999);
    CHECK(bell.rings == 1);
    wheel.advance(12'345 + 2 * delay_us + 10'000);
    CHECK(bell.rings == 1);
    CHECK_FALSE(bell.timer.is_pending());
    CHECK(wheel.next_expiry_us() == std::numeric_limits<std::int64_t>::max());
  }
}

TEST_CASE(
    "TimerWheel: a delay of 0 or less fires at the next tick and not inside its own callback") {
  struct Again {
    TimerWheel& wheel;
    int rings = 0;
    Timer timer{Timer::member<&Again::ring, Again>(), this};
    void ring() {
      ++rings;
      wheel.start(timer, -5);
    }
  };
  TimerWheel wheel(0);
  Again again{wheel};
  wheel.start(again.timer, 0);
  wheel.advance(0);
  CHECK(again.rings == 0);
  wheel.advance(1000);
  CHECK(again.rings == 1);
  wheel.advance(1999);
  CHECK(again.rings == 1);
  wheel.advance(2000);
  CHECK(again.rings == 2);
  wheel.advance(1'000'000'000);  // goes through the ticks up to here at most once more each
  CHECK(again.rings <= 4);
}

TEST_CASE("TimerWheel: shared timers of a second come due in groups of 16 ms") {
  TimerWheel wheel(12'345);
  std::vector<std::unique_ptr<Bell>> bells;
  for (int i = 0; i < 1'000; ++i) {
    bells.push_back(std::make_unique<Bell>(wheel));
    wheel.start_shared(bells.back()->timer, 32'000'000 + i * 1'000);
  }
  std::set<std::int64_t> wakes;
  while (wheel.pending() > 0) {
    const std::int64_t next_us = wheel.next_expiry_us();
    const std::size_t before = wheel.pending();
    wheel.advance(next_us);
    if (wheel.pending() < before) wakes.insert(next_us);
  }
  CHECK(wakes.size() == 64);
  for (int i = 0; i < 1'000; ++i) {
    const std::int64_t due_us = 12'345 + 32'000'000 + i * 1'000;
    CHECK(bells[static_cast<std::size_t>(i)]->rang_at_us >= due_us);
    CHECK(bells[static_cast<std::size_t>(i)]->rang_at_us < due_us + 16'000);
  }
}

TEST_CASE("TimerWheel: timers of one tick fire in the order of their start, whenever that was") {
  TimerWheel wheel(0);
  struct Note {
    std::vector<int>& notes;
    int number;
    Timer timer{Timer::member<&Note::ring, Note>(), this};
    Note(std::vector<int>& n, int i) : notes(n), number(i) {}
    void ring() { notes.push_back(number); }
  };
  std::vector<int> notes;
  std::vector<std::unique_ptr<Note>> pending;
  // All expire at tick 70,000 and are started from further and further near.
  for (int number = 0; number < 700; ++number) {
    pending.push_back(std::make_unique<Note>(notes, number));
    wheel.start(pending.back()->timer, 70'000'000 - wheel.now_us());
    wheel.advance(wheel.now_us() + 100'000 - 1000 * (number % 7));
    if (number > 680) wheel.advance(std::min<std::int64_t>(wheel.now_us(), 69'999'000));
    if (wheel.now_us() > 69'800'000) break;
  }
  wheel.advance(70'000'000);
  REQUIRE(notes.size() == pending.size());
  CHECK(std::is_sorted(notes.begin(), notes.end()));
}

TEST_CASE("TimerWheel: cancel and destruction keep a timer from firing") {
  TimerWheel wheel(0);
  Bell bell(wheel);
  wheel.start(bell.timer, 5000);
  bell.timer.cancel();
  bell.timer.cancel();
  CHECK(wheel.pending() == 0);
  {
    Bell gone(wheel);
    wheel.start(gone.timer, 5000);
  }
  CHECK(wheel.pending() == 0);
  wheel.advance(10'000);
  CHECK(bell.rings == 0);
  wheel.start(bell.timer, 5000);
  wheel.start(bell.timer, 50'000);
  wheel.advance(20'000);
  CHECK(bell.rings == 0);
  wheel.advance(60'000);
  CHECK(bell.rings == 1);
}

TEST_CASE("TimerWheel: timers outlive their wheel unlinked") {
  auto wheel = std::make_unique<TimerWheel>(0);
  Bell bell(*wheel);
  wheel->start(bell.timer, 5000);
  wheel.reset();
  CHECK_FALSE(bell.timer.is_pending());
  bell.timer.cancel();
}

TEST_CASE("TimerWheel: time that stands still or goes back fires nothing") {
  TimerWheel wheel(1'000'000);
  Bell bell(wheel);
  wheel.start(bell.timer, 1000);
  wheel.advance(1'000'000);
  wheel.advance(0);
  CHECK(bell.rings == 0);
  CHECK(wheel.now_us() == 1'000'000);
  wheel.start(bell.timer, std::numeric_limits<std::int64_t>::max());
  CHECK(wheel.next_expiry_us() > 1'000'000);
  CHECK(bell.timer.is_pending());
}

TEST_CASE("TimerWheel: a callback that throws delays what was due with it by a tick, and no more") {
  TimerWheel wheel(0);
  struct Thrower {
    static void fire(void*) { throw std::runtime_error("broken"); }
  };
  Timer broken(&Thrower::fire, nullptr);
  Bell bell(wheel);
  Bell later(wheel);
  wheel.start(broken, 256'000);  // a tick that is cascaded from the second level
  wheel.start(bell.timer, 256'000);
  wheel.start(later.timer, 400'000);
  CHECK_THROWS_AS(wheel.advance(300'000), std::runtime_error);
  CHECK(bell.rings == 0);
  wheel.advance(301'000);
  CHECK(bell.rings == 1);
  CHECK(later.rings == 0);
  wheel.advance(400'000);
  CHECK(later.rings == 1);
  CHECK(wheel.pending() == 0);
}

TEST_CASE(
    "TimerWheel: agrees with a sorted list under random starts, cancels, restarts and "
    "destructions") {
  std::uint64_t fired = 0;
  for (std::uint64_t seed = 1; seed <= 12; ++seed) {
    CAPTURE(seed);
    World world(seed, static_cast<std::int64_t>(seed * 777'777));
    world.run(1'000);
    REQUIRE(world.errors == 0);
    fired += world.fired;
  }
  CHECK(fired > 50'000);
}
