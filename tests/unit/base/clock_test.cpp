#include "tandem/clock.hpp"

#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <set>
#include <string>

#include "base/chacha20.hpp"

using namespace tandem;

TEST_CASE("SimulatedClock: moves only when told to, and only forwards") {
  SimulatedClock clock;
  CHECK(clock.monotonic_us() == 1'000'000);
  CHECK(clock.wall_us() == 1'767'225'600'000'000);
  clock.advance_us(5);
  clock.advance_us(-100);
  CHECK(clock.monotonic_us() == 1'000'005);
  CHECK(clock.wall_us() == 1'767'225'600'000'005);
  clock.step_wall_us(-1'000'000);
  CHECK(clock.monotonic_us() == 1'000'005);
  CHECK(clock.wall_us() == 1'767'225'599'000'005);
}

TEST_CASE("SystemClock: monotonic time does not go back and wall time is of this century") {
  const SystemClock clock;
  std::int64_t before_us = clock.monotonic_us();
  for (int i = 0; i < 1000; ++i) {
    const std::int64_t now_us = clock.monotonic_us();
    CHECK(now_us >= before_us);
    before_us = now_us;
  }
  CHECK(clock.wall_us() > 1'600'000'000'000'000);
}

TEST_CASE("ChaCha20: gives the key stream of RFC 8439 section 2.3.2") {
  std::uint32_t state[16] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574};
  for (std::uint32_t i = 0; i < 8; ++i)
    state[4 + i] = 0x03020100 + 0x04040404 * i;
  state[12] = 1;
  state[13] = 0x09000000;
  state[14] = 0x4a000000;
  state[15] = 0;
  std::uint8_t out[64];
  chacha20_block(state, out);
  const std::uint8_t wanted[64] = {0x10, 0xf1, 0xe7, 0xe4, 0xd1, 0x3b, 0x59, 0x15, 0x50, 0x0f, 0xdd,
                                   0x1f, 0xa3, 0x20, 0x71, 0xc4, 0xc7, 0xd1, 0xf4, 0xc7, 0x33, 0xc0,
                                   0x68, 0x03, 0x04, 0x22, 0xaa, 0x9a, 0xc3, 0xd4, 0x6c, 0x4e, 0xd2,
                                   0x82, 0x64, 0x46, 0x07, 0x9f, 0xaa, 0x09, 0x14, 0xc2, 0xd7, 0x05,
                                   0xd9, 0x8b, 0x02, 0xa2, 0xb5, 0x12, 0x9c, 0xd1, 0xde, 0x16, 0x4e,
                                   0xb9, 0xcb, 0xd0, 0x83, 0xe8, 0xa2, 0x50, 0x3c, 0x4e};
  CHECK(std::memcmp(out, wanted, sizeof out) == 0);
}

TEST_CASE("SeededRandom: a seed repeats its numbers and another seed gives others") {
  SeededRandom a(42);
  SeededRandom b(42);
  SeededRandom c(43);
  bool differs = false;
  for (int i = 0; i < 100; ++i) {
    const std::uint64_t number = a.next();
    CHECK(number == b.next());
    differs = differs || number != c.next();
  }
  CHECK(differs);
}

TEST_CASE("SeededRandom: follows xoshiro256** from a splitmix64 seed") {
  // Computed with the authors' reference code.
  SeededRandom random(0);
  CHECK(random.next() == 0x99ec5f36cb75f2b4);
  CHECK(random.next() == 0xbf6e1f784956452a);
}

TEST_CASE("Random: below() is uniform and stays below its bound") {
  SeededRandom random(1);
  CHECK(random.below(0) == 0);
  CHECK(random.below(1) == 0);
  std::array<int, 10> counts{};
  for (int i = 0; i < 100'000; ++i)
    ++counts[random.below(10)];
  for (int count : counts) {
    CHECK(count > 9'600);
    CHECK(count < 10'400);
  }
  // With a bound of 2/3 of the range, a biased draw would give the lower half of it twice as often.
  const std::uint64_t bound = 0xAAAAAAAAAAAAAAAA;
  int low = 0;
  for (int i = 0; i < 100'000; ++i) {
    const std::uint64_t drawn = random.below(bound);
    CHECK(drawn < bound);
    low += drawn < bound / 2;
  }
  CHECK(low > 49'000);
  CHECK(low < 51'000);
}

TEST_CASE("SecureRandom: does not repeat, also across refills and sources") {
  std::set<std::uint64_t> seen;
  SecureRandom a;
  SecureRandom b;
  for (int i = 0; i < 5'000; ++i) {
    seen.insert(a.next());
    seen.insert(b.next());
  }
  CHECK(seen.size() == 10'000);
}

TEST_CASE("SecureRandom: the child of a fork does not draw its parent's numbers") {
  SecureRandom random;
  (void)random.next();  // seeds it
  int ends[2];
  REQUIRE(pipe(ends) == 0);
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    const std::uint64_t number = random.next();
    _exit(write(ends[1], &number, sizeof number) == sizeof number ? 0 : 1);
  }
  std::uint64_t childs = 0;
  REQUIRE(read(ends[0], &childs, sizeof childs) == sizeof childs);
  int status = 0;
  waitpid(child, &status, 0);
  close(ends[0]);
  close(ends[1]);
  CHECK(status == 0);
  CHECK(childs != random.next());
}
