// What a start waits for: decks of 200,000 rates from their stored texts, and from their images.
#include <cstdlib>
#include <filesystem>
#include <string>
#include <utility>

#include "bench.hpp"
#include "cdr/disk.hpp"
#include "rating/deck_image.hpp"
#include "tandem/clock.hpp"
#include "tandem/rating.hpp"

namespace tandem::bench {
namespace {

constexpr std::size_t rows = 200'000;
const std::string digest(64, 'd');

/// Prefixes of 5 to 9 digits, a name of a country for each, prices and beginnings of many kinds.
RateDeck vendor_deck() {
  SeededRandom random(11);
  RateDeck::Builder builder("bench", "USD");
  for (std::size_t added = 0; added < rows;) {
    Rate rate;
    rate.prefix = std::to_string(10'000 + random.below(1'000'000'000) / (1 + random.below(1'000)));
    rate.area = "Destination number " + std::to_string(random.below(900));
    rate.price = Amount::from_units(static_cast<std::int64_t>(random.below(50'000'000)));
    rate.first_s = random.below(2) == 0 ? 1 : 60;
    rate.next_s = random.below(3) == 0 ? 6 : rate.first_s;
    if (random.below(8) == 0) rate.valid_from_us = 1'767'225'600'000'000;
    if (builder.add(std::move(rate)).ok()) ++added;  // a prefix drawn twice is drawn again
  }
  return builder.build().value();
}

double per_s(double ns_per_row) { return 1e9 / ns_per_row; }

struct Folder {
  Folder() {
    if (mkdtemp(path.data()) == nullptr) path.clear();
  }
  ~Folder() {
    std::error_code ignored;
    if (!path.empty()) std::filesystem::remove_all(path, ignored);
  }
  std::string path = (std::filesystem::temp_directory_path() / "tandem-image-XXXXXX").string();
};

}  // namespace

TANDEM_BENCH("rating.deck_csv_rows_per_s", "1/s") {
  const std::string csv = to_csv(vendor_deck());
  const double ns = best_ns_per_operation(rows, [&](std::uint64_t) {
    auto rates = parse_deck_csv(csv, "bench");
    RateDeck::Builder builder("bench", "USD");
    for (Rate& rate : rates.value())
      (void)builder.add(std::move(rate));  // the size below tells
    if (builder.build().value().size() != rows) std::abort();
  });
  return Figure{per_s(ns), "{\"rows\":200000,\"threads\":1,\"from\":\"CSV in memory\",\"bytes\":" +
                               std::to_string(csv.size()) + "}"};
}

TANDEM_BENCH("rating.deck_image_rows_per_s", "1/s") {
  const Folder folder;
  if (folder.path.empty()) return Figure::skipped("no temporary folder");
  const RateDeck deck = vendor_deck();
  cdr::PosixDisk disk;
  const std::string path = folder.path + "/image";
  std::uint64_t bytes = 0;
  {
    auto file = disk.open(path, cdr::Disk::Open::create);
    if (!file) return Figure::skipped(file.error().message);
    const auto written =
        rating::write_deck_image(deck, digest, [&](std::uint64_t offset, std::string_view piece) {
          bytes += piece.size();
          return (*file)->write_at(offset, piece);
        });
    if (!written) return Figure::skipped(written.error().message);
  }
  const double ns = best_ns_per_operation(rows, [&](std::uint64_t) {
    const auto view = disk.view(path);
    const auto read = rating::read_deck_image(view.value()->bytes(), digest, "bench", "USD");
    if (read.value().size() != rows) std::abort();
  });
  return Figure{per_s(ns),
                "{\"rows\":200000,\"threads\":1,\"from\":\"a file in the page cache\",\"bytes\":" +
                    std::to_string(bytes) + "}"};
}

}  // namespace tandem::bench
