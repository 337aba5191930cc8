#include "remote/kept_place.hpp"

#include <utility>

#include "base/text.hpp"

namespace tandem::remote {

Result<KeptPlace> KeptPlace::open(std::shared_ptr<cdr::Disk> disk, const std::string& folder) {
  if (folder.empty()) return Error{ErrorCode::invalid_argument, "folder \"\" was no folder"};
  if (auto made = disk->make_folder(folder); !made) return std::move(made).error();
  KeptPlace place;
  auto lock = disk->lock(folder + "/lock");
  if (!lock) return std::move(lock).error();
  place.lock_ = std::move(*lock);
  place.path_ = folder + "/position";
  auto content = cdr::read_replaced_file(*disk, place.path_);
  if (!content && content.error().code != ErrorCode::not_found) return std::move(content).error();
  if (content) {
    std::string_view digits = *content;
    if (digits.ends_with('\n')) digits.remove_suffix(1);
    const auto sequence = parse_integer<std::uint64_t>(digits);
    if (!sequence)
      return Error{ErrorCode::corrupt, "\"" + place.path_ + "\" did not hold one number"};
    place.sequence_ = *sequence;
  }
  place.disk_ = std::move(disk);
  return place;
}

Result<void> KeptPlace::move(std::uint64_t sequence) {
  if (sequence == sequence_) return {};
  if (auto done = cdr::replace_file(*disk_, path_, std::to_string(sequence) + "\n"); !done)
    return done;
  sequence_ = sequence;
  return {};
}

}  // namespace tandem::remote
