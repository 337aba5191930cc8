#include "tandem/clock.hpp"

#include <sys/mman.h>
#include <sys/random.h>

#include <bit>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <new>
#include <random>

#include "base/chacha20.hpp"

namespace tandem {

Clock::~Clock() = default;
Random::~Random() = default;

std::int64_t SystemClock::monotonic_us() const noexcept {
  using std::chrono::microseconds;
  return std::chrono::duration_cast<microseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

std::int64_t SystemClock::wall_us() const noexcept {
  using std::chrono::microseconds;
  return std::chrono::duration_cast<microseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

SimulatedClock::SimulatedClock(std::int64_t wall_us) noexcept
    : monotonic_us_(1'000'000), wall_us_(wall_us) {}

std::int64_t SimulatedClock::monotonic_us() const noexcept {
  return monotonic_us_.load(std::memory_order_acquire);
}
std::int64_t SimulatedClock::wall_us() const noexcept {
  return wall_us_.load(std::memory_order_acquire);
}

void SimulatedClock::advance_us(std::int64_t step_us) noexcept {
  if (step_us <= 0) return;
  monotonic_us_.fetch_add(step_us, std::memory_order_acq_rel);
  wall_us_.fetch_add(step_us, std::memory_order_acq_rel);
}

void SimulatedClock::step_wall_us(std::int64_t step_us) noexcept {
  wall_us_.fetch_add(step_us, std::memory_order_acq_rel);
}

std::uint64_t Random::below(std::uint64_t bound) noexcept {
  if (bound == 0) return 0;
  // The high half of a 128-bit product; draws from the incomplete part of the range are thrown
  // away.
  __extension__ using Wide = unsigned __int128;
  Wide product = static_cast<Wide>(next()) * bound;
  if (static_cast<std::uint64_t>(product) < bound) {
    const std::uint64_t incomplete = (0 - bound) % bound;
    while (static_cast<std::uint64_t>(product) < incomplete)
      product = static_cast<Wide>(next()) * bound;
  }
  return static_cast<std::uint64_t>(product >> 64);
}

void chacha20_block(const std::uint32_t (&state)[16], std::uint8_t (&out)[64]) noexcept {
  std::uint32_t x[16];
  std::memcpy(x, state, sizeof x);
  const auto quarter = [&x](int a, int b, int c, int d) {
    x[a] += x[b], x[d] = std::rotl(x[d] ^ x[a], 16);
    x[c] += x[d], x[b] = std::rotl(x[b] ^ x[c], 12);
    x[a] += x[b], x[d] = std::rotl(x[d] ^ x[a], 8);
    x[c] += x[d], x[b] = std::rotl(x[b] ^ x[c], 7);
  };
  for (int round = 0; round < 20; round += 2) {
    quarter(0, 4, 8, 12), quarter(1, 5, 9, 13), quarter(2, 6, 10, 14), quarter(3, 7, 11, 15);
    quarter(0, 5, 10, 15), quarter(1, 6, 11, 12), quarter(2, 7, 8, 13), quarter(3, 4, 9, 14);
  }
  for (int i = 0; i < 16; ++i) {
    const std::uint32_t word = x[i] + state[i];
    for (int byte = 0; byte < 4; ++byte)
      out[4 * i + byte] = static_cast<std::uint8_t>(word >> 8 * byte);
  }
}

// Fast key erasure: each refill takes its first 32 bytes as the next key and wipes what it hands
// out, so that a look into memory tells nothing about numbers drawn before.
struct SecureRandom::State {
  // In a page of its own that the kernel clears in the child of a fork: the child notices and seeds
  // afresh, instead of drawing its parent's numbers.
  struct Pool {
    std::uint32_t is_seeded;
    std::uint32_t key[8];
    std::uint32_t next;  // offset of the first unused byte
    std::uint8_t bytes[1024];
  };
  Pool* pool = nullptr;

  State() {
    void* const page =
        mmap(nullptr, sizeof(Pool), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED) throw std::bad_alloc();
    // Older kernels do not know the first, and some sandboxes refuse the second; the numbers are as
    // good without.
    (void)madvise(page, sizeof(Pool), MADV_WIPEONFORK);
    (void)madvise(page, sizeof(Pool), MADV_DONTDUMP);
    pool = static_cast<Pool*>(page);
  }
  ~State() { munmap(pool, sizeof(Pool)); }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  void seed() noexcept {
    auto* out = reinterpret_cast<unsigned char*>(pool->key);
    std::size_t wanted = sizeof pool->key;
    while (wanted > 0) {
      const ssize_t got = getrandom(out, wanted, 0);
      if (got > 0) {
        out += got;
        wanted -= static_cast<std::size_t>(got);
      } else if (errno != EINTR) {
        // No such system call here. std::random_device finds another source or throws, which ends
        // the program: better than tags and nonces that can be guessed.
        std::random_device device;
        for (std::uint32_t& word : pool->key)
          word = device();
        break;
      }
    }
    pool->is_seeded = 1;
  }

  void refill() noexcept {
    if (!pool->is_seeded) seed();
    std::uint32_t block[16] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574};
    std::memcpy(block + 4, pool->key, sizeof pool->key);
    for (std::size_t at = 0; at < sizeof pool->bytes; at += 64, ++block[12]) {
      std::uint8_t stream[64];
      chacha20_block(block, stream);
      std::memcpy(pool->bytes + at, stream, sizeof stream);
    }
    std::memcpy(pool->key, pool->bytes, sizeof pool->key);
    std::memset(pool->bytes, 0, sizeof pool->key);
    pool->next = sizeof pool->key;
  }
};

SecureRandom::SecureRandom() : state_(std::make_unique<State>()) {}
SecureRandom::~SecureRandom() = default;

std::uint64_t SecureRandom::next() noexcept {
  State::Pool& pool = *state_->pool;
  std::uint64_t number = 0;
  if (!pool.is_seeded || pool.next + sizeof number > sizeof pool.bytes) state_->refill();
  std::memcpy(&number, pool.bytes + pool.next, sizeof number);
  std::memset(pool.bytes + pool.next, 0, sizeof number);
  pool.next += sizeof number;
  return number;
}

SeededRandom::SeededRandom(std::uint64_t seed) noexcept {
  // splitmix64, as the authors of xoshiro256** advise: no seed gives the state of all zeros.
  for (std::uint64_t& word : state_) {
    seed += 0x9E3779B97F4A7C15;
    std::uint64_t z = seed;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9;
    z = (z ^ z >> 27) * 0x94D049BB133111EB;
    word = z ^ z >> 31;
  }
}

std::uint64_t SeededRandom::next() noexcept {
  const std::uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
  const std::uint64_t shifted = state_[1] << 17;
  state_[2] ^= state_[0];
  state_[3] ^= state_[1];
  state_[1] ^= state_[2];
  state_[0] ^= state_[3];
  state_[2] ^= shifted;
  state_[3] = std::rotl(state_[3], 45);
  return result;
}

}  // namespace tandem
