#include "cdr/set_aside.hpp"

#include <utility>

#include "base/crc32c.hpp"
#include "base/text.hpp"
#include "cdr/cdr_json.hpp"

namespace tandem::cdr {
namespace {

constexpr std::string_view id_key = "{\"record_id\":";
constexpr std::string_view check_key = ",\"crc32c\":";

/// The id of a line; nothing when it is not whole.
std::optional<std::uint64_t> id_of(std::string_view line) {
  const std::size_t check_at = line.rfind(check_key);
  if (!line.starts_with(id_key) || !line.ends_with('}') || check_at == std::string_view::npos)
    return std::nullopt;
  std::string_view check = line.substr(check_at + check_key.size());
  check.remove_suffix(1);
  if (parse_integer<std::uint32_t>(check) != crc32c(line.data(), check_at)) return std::nullopt;
  line.remove_prefix(id_key.size());
  return parse_integer<std::uint64_t>(line.substr(0, line.find(',')));
}

}  // namespace

Result<std::unique_ptr<SetAside>> SetAside::open(std::shared_ptr<Disk> disk,
                                                 const std::string& folder,
                                                 const std::string& sink) {
  std::unique_ptr<SetAside> file(
      new SetAside(std::move(disk), folder, folder + "/" + sink + ".set-aside"));
  if (auto loaded = file->load(); !loaded) return std::move(loaded).error();
  return file;
}

Result<void> SetAside::load() {
  ids_.clear();
  count_.store(0);
  length_bytes_ = unreadable_lines_ = 0;
  is_durable_ = is_uncertain_ = false;
  const auto content = read_file(*disk_, path_);
  if (!content && content.error().code == ErrorCode::not_found) return {};
  if (!content) return content.error();
  // A crash may have torn the last line, which nobody relied on then: what follows the last whole
  // one is dropped. Unreadable ones before it were damaged or edited: they stay as they are, and
  // are no reason to refuse the others.
  std::uint64_t unreadable = 0;  // since the last whole line
  std::uint64_t at = 0;
  std::string_view rest = *content;
  for (std::size_t end = 0; (end = rest.find('\n')) != std::string_view::npos;
       rest.remove_prefix(end + 1)) {
    const auto id = id_of(rest.substr(0, end));
    at += end + 1;
    if (!id) {
      ++unreadable;
      continue;
    }
    ids_.insert(*id);
    length_bytes_ = at;
    unreadable_lines_ += std::exchange(unreadable, 0);
  }
  count_.store(ids_.size());
  return {};
}

/// Of what was read, neither the lines nor the name need have been flushed by who wrote them.
Result<void> SetAside::make_durable(DiskFile& file) {
  if (auto done = file.sync(); !done) return done;
  if (is_durable_) return {};
  if (auto done = disk_->sync_folder(folder_); !done) return done;
  is_durable_ = true;
  return {};
}

Result<void> SetAside::add(const Cdr& cdr, const std::string& reason, std::int64_t at_us) {
  auto file = disk_->open(path_, Disk::Open::create);
  if (!file) return std::move(file).error();
  auto size = (*file)->size_bytes();
  if (!size) return std::move(size).error();
  // An operator emptied, moved or edited it.
  if (*size < length_bytes_ || (*size > length_bytes_ && !is_uncertain_)) {
    if (auto done = load(); !done) return done;
  }
  if (ids_.contains(cdr.record_id)) return is_durable_ ? Result<void>() : make_durable(**file);
  if (ids_.size() >= records_max) {
    return Error{ErrorCode::limit, std::to_string(records_max) +
                                       " records were set aside already, in \"" + path_ + '"'};
  }
  std::string line(id_key);
  append_integer(line, cdr.record_id);
  append_integer(line += ",\"at_us\":", at_us);
  append_json_string(line += ",\"reason\":", reason);
  (line += ",\"cdr\":").append(to_json(cdr));
  const std::uint32_t check = crc32c(line.data(), line.size());
  append_integer(line += check_key, check);
  line += "}\n";
  is_uncertain_ = true;
  if (*size > length_bytes_) {
    if (auto done = (*file)->truncate(length_bytes_); !done) return done;
  }
  if (auto done = (*file)->write_at(length_bytes_, line); !done) return done;
  if (auto done = make_durable(**file); !done) return done;
  is_uncertain_ = false;
  length_bytes_ += line.size();
  ids_.insert(cdr.record_id);
  count_.store(ids_.size());
  return {};
}

}  // namespace tandem::cdr
