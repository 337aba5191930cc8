// Bytes of an image of a rate deck: no input may crash or be read beyond its end, and what is taken
// is a deck of valid rates that has an image again. Seeds: tests/fuzz/corpus/deck_image.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/crc32c.hpp"
#include "rating/deck_image.hpp"
#include "tandem/rating.hpp"

using namespace tandem;

namespace {

constexpr std::size_t head_bytes = 160;
constexpr std::size_t digest_at = 96;

void read(const std::string& image) {
  const std::string digest =
      image.size() < head_bytes ? std::string(64, '0') : image.substr(digest_at, 64);
  const auto deck = rating::read_deck_image(image, digest, "fuzz", "USD");
  if (!deck) {
    if (deck.error().message.find('\n') != std::string::npos) std::abort();
    return;
  }
  for (std::size_t i = 0; i < deck->size(); ++i) {
    const Rate& rate = deck->at(i);
    if (!check_rate(rate)) std::abort();
    if (!rate.prefix.empty() && deck->find(rate.prefix, rate.valid_from_us).rate == nullptr)
      std::abort();
    (void)rate_call(rate, 61'000, {});  // a charge or a limit, and an end
  }
  std::string again;
  const auto written = rating::write_deck_image(
      *deck, digest, [&](std::uint64_t offset, std::string_view bytes) -> Result<void> {
        if (again.size() < offset + bytes.size()) again.resize(offset + bytes.size());
        bytes.copy(again.data() + offset, bytes.size());
        return {};
      });
  if (!written) std::abort();
  const auto second = rating::read_deck_image(again, digest, "fuzz", "USD");
  if (!second || !rating::have_equal_rates(*second, *deck)) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  std::string image(reinterpret_cast<const char*>(bytes), size);
  read(image);
  // With the size and the check value put right, so that what lies behind them is reached too.
  if (image.size() < head_bytes) return 0;
  for (std::size_t i = 0; i < 8; ++i)
    image[16 + i] = static_cast<char>(image.size() >> (8 * i) & 0xFF);
  const std::uint32_t crc = crc32c(image.data() + 16, image.size() - 16);
  for (std::size_t i = 0; i < 4; ++i)
    image[12 + i] = static_cast<char>(crc >> (8 * i) & 0xFF);
  read(image);
  return 0;
}
