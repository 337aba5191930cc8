// Images of stored rate decks in a folder beside the database.
#pragma once

#include <cstddef>
#include <memory>
#include <set>
#include <string>
#include <string_view>

#include "cdr/disk.hpp"
#include "tandem/config.hpp"
#include "tandem/error.hpp"
#include "tandem/rating.hpp"

namespace tandem {

/// One file for each list of rates, named by the digest of its CSV form: decks and versions with
/// the same rates share one. Files are replaced and removed, never changed. All of them can be
/// removed at any time: what they hold is in the database.
///
/// Threading: any number of threads may read at once; one at a time writes and removes.
class DeckImages {
 public:
  static constexpr std::size_t rates_min = 1'000;  ///< Smaller decks are read as fast from texts.

  /// `folder` is made when there is something to write.
  DeckImages(std::shared_ptr<cdr::Disk> disk, std::string folder)
      : disk_(std::move(disk)), folder_(std::move(folder)) {}
  /// Those beside the database of a switch. Null: it shall have none, or is in memory.
  static std::unique_ptr<DeckImages> beside_database(const SwitchConfig& config,
                                                     std::shared_ptr<cdr::Disk> disk);

  /// Errors: not_found (there is none), corrupt, unsupported, io, limit.
  [[nodiscard]] Result<RateDeck> read(const std::string& digest, const std::string& id,
                                      const std::string& currency) const;
  /// Writes one and compares what can be read of it with the deck, before it gets its name.
  /// REQUIRES: `digest` is that of the deck. Errors: io, limit, invalid_argument, corrupt.
  Result<void> write(const RateDeck& deck, const std::string& digest);
  /// Removes all others, and what a crash left half written; gives those that are there. Errors:
  /// io.
  Result<std::set<std::string>> keep_only(const std::set<std::string>& digests);

 private:
  [[nodiscard]] std::string path_of(std::string_view digest) const;
  Result<void> write_draft(const std::string& path, const RateDeck& deck,
                           const std::string& digest);

  const std::shared_ptr<cdr::Disk> disk_;
  const std::string folder_;
};

}  // namespace tandem
