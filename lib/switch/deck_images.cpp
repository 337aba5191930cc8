#include "switch/deck_images.hpp"

#include <algorithm>
#include <utility>

#include "rating/deck_image.hpp"

namespace tandem {
namespace {

constexpr std::string_view name_end = ".image";
constexpr std::string_view draft_end = ".new";
constexpr std::size_t digest_length = 64;

/// Digests become names of files, and come from a file.
bool is_digest(std::string_view text) noexcept {
  return text.size() == digest_length && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

}  // namespace

std::unique_ptr<DeckImages> DeckImages::beside_database(const SwitchConfig& config,
                                                        std::shared_ptr<cdr::Disk> disk) {
  const std::string database = config.path(config.database);
  if (!config.deck_images || database == ":memory:") return nullptr;
  return std::make_unique<DeckImages>(std::move(disk), database + "-decks");
}

std::string DeckImages::path_of(std::string_view digest) const {
  std::string path = folder_;
  path.append("/").append(digest).append(name_end);
  return path;
}

Result<RateDeck> DeckImages::read(const std::string& digest, const std::string& id,
                                  const std::string& currency) const {
  if (!is_digest(digest)) return Error{ErrorCode::not_found, "a digest was none"};
  auto view = disk_->view(path_of(digest));
  if (!view) return std::move(view).error();
  return rating::read_deck_image((*view)->bytes(), digest, id, currency);
}

Result<void> DeckImages::write(const RateDeck& deck, const std::string& digest) {
  if (!is_digest(digest)) return Error{ErrorCode::invalid_argument, "a digest was none"};
  if (auto made = disk_->make_folder(folder_); !made) return made;
  const std::string path = path_of(digest);
  const std::string draft = path + std::string(draft_end);
  Result<void> done = write_draft(draft, deck, digest);
  if (done) done = disk_->rename(draft, path);
  if (!done) {
    (void)disk_->remove(draft);  // the error to tell is the first one; the next sweep has it else
    return done;
  }
  return disk_->sync_folder(folder_);
}

Result<void> DeckImages::write_draft(const std::string& path, const RateDeck& deck,
                                     const std::string& digest) {
  {
    auto file = disk_->open(path, cdr::Disk::Open::create);
    if (!file) return std::move(file).error();
    if (auto done = (*file)->truncate(0); !done) return done;
    auto written =
        rating::write_deck_image(deck, digest, [&](std::uint64_t offset, std::string_view bytes) {
          return (*file)->write_at(offset, bytes);
        });
    if (!written) return written;
    if (auto done = (*file)->sync(); !done) return done;
  }
  auto view = disk_->view(path);
  if (!view) return std::move(view).error();
  auto again = rating::read_deck_image((*view)->bytes(), digest, deck.id(), deck.currency());
  if (!again) return std::move(again).error();
  if (rating::have_equal_rates(*again, deck)) return {};
  return Error{ErrorCode::corrupt,
               "image of rate deck \"" + deck.id() + "\" had other rates than the deck"};
}

Result<std::set<std::string>> DeckImages::keep_only(const std::set<std::string>& digests) {
  std::set<std::string> kept;
  auto names = disk_->list(folder_);
  if (!names) {
    if (names.error().code == ErrorCode::not_found) return kept;
    return std::move(names).error();
  }
  for (const std::string& name : *names) {
    std::string_view left = name;
    const bool is_draft = left.ends_with(draft_end);
    if (is_draft) left.remove_suffix(draft_end.size());
    if (!left.ends_with(name_end)) continue;  // not ours
    left.remove_suffix(name_end.size());
    if (!is_digest(left)) continue;
    std::string digest(left);
    if (!is_draft && digests.contains(digest)) {
      kept.insert(std::move(digest));
    } else if (auto removed = disk_->remove(folder_ + "/" + name); !removed) {
      return std::move(removed).error();
    }
  }
  return kept;
}

}  // namespace tandem
