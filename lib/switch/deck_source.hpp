// Where stored rates are read from: their images, or the long way from their texts.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "switch/deck_images.hpp"
#include "switch/provision_store_sqlite.hpp"
#include "tandem/clock.hpp"
#include "tandem/provision.hpp"

namespace tandem {

/// What reading decks took. Times are sums over threads.
struct DeckReading {
  std::size_t from_images = 0;
  std::int64_t images_us = 0;
  std::size_t from_texts = 0;
  std::int64_t texts_us = 0;
  std::vector<std::string> refusals;  ///< Why images were there and not taken; the first few.
};

/// SHA-256 in hex: how a list of rates in CSV form is called.
[[nodiscard]] std::string digest_of_text(std::string_view text);

/// Threading: thread-safe; `mutex_` guards what is counted. Images are written and removed by one
/// thread at a time.
class DeckSource {
 public:
  /// `images` null: all is read the long way. `clock` outlives this object.
  DeckSource(std::shared_ptr<ProvisionStore> store, std::unique_ptr<DeckImages> images,
             const Clock& clock)
      : store_(std::move(store)), images_(std::move(images)), clock_(clock) {}

  [[nodiscard]] ProvisionStore& store() noexcept { return *store_; }
  [[nodiscard]] bool has_images() const noexcept { return images_ != nullptr; }

  /// The rates of a version. An image that is not there, or is not right in each byte, is as none.
  /// Errors: those of the long way: not_found, io, invalid_argument, limit.
  Result<RateDeck> read(const std::string& id, const std::string& currency,
                        const DeckVersion& version);
  /// What was read until now.
  [[nodiscard]] DeckReading reading() const;

  /// A deck with its active version, whose image shall be there.
  struct Wanted {
    RateDeck deck;
    std::string digest;
  };
  /// Removes the images of all other decks. Gives those of `wanted` that are to be written.
  /// REQUIRES: has_images(). Errors: io.
  Result<std::vector<Wanted>> sweep(std::vector<Wanted> wanted);
  /// Writes the image of one; none of a deck whose digest is another, because it was exchanged
  /// meanwhile. REQUIRES: has_images(). Errors: io, limit, invalid_argument, corrupt.
  Result<void> write_image(const Wanted& wanted);

 private:
  static constexpr std::size_t refusals_max = 64;
  Result<RateDeck> read_image(const std::string& id, const std::string& currency,
                              const DeckVersion& version);

  const std::shared_ptr<ProvisionStore> store_;
  const std::unique_ptr<DeckImages> images_;
  const Clock& clock_;
  mutable std::mutex mutex_;
  DeckReading reading_;
  std::set<std::string> refused_;  // digests of images to be replaced
};

}  // namespace tandem
