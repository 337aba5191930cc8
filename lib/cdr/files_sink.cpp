#include "cdr/files_sink.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/text.hpp"
#include "cdr/cdr_text.hpp"
#include "cdr/day_files.hpp"

namespace tandem::cdr {
namespace {

constexpr std::int64_t second_us = 1'000'000;
constexpr std::size_t time_digits = 14;

/// "20261125120500": a moment by its digits.
std::string digits_of(std::int64_t time_s) {
  std::string digits;
  for (const char c : format_time_us(time_s * second_us).substr(0, 19)) {
    if (c >= '0' && c <= '9') digits += c;
  }
  return digits;
}

/// Order of the complete files: time, then number. Nothing for other names.
struct FileOrder {
  std::string time;
  std::uint32_t number = 1;
  auto operator<=>(const FileOrder&) const = default;
};
std::string_view extension_of(CsvLayout layout) noexcept {
  return layout == CsvLayout::pipe ? ".txt" : ".csv";
}

std::optional<FileOrder> order_of(std::string_view name, std::string_view extension) {
  if (!name.ends_with(extension)) return std::nullopt;
  name.remove_suffix(extension.size());
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  if (name.size() < time_digits || !std::all_of(name.begin(), name.begin() + time_digits, is_digit))
    return std::nullopt;
  FileOrder order{std::string(name.substr(0, time_digits)), 1};
  name.remove_prefix(time_digits);
  if (name.empty()) return order;
  const auto number = parse_integer<std::uint32_t>(name.substr(1));
  if (name[0] != '-' || !number) return std::nullopt;
  order.number = *number;
  return order;
}

}  // namespace

FilesSink::FilesSink(CdrFilesConfig config, std::shared_ptr<Disk> disk)
    : config_(std::move(config)), disk_(std::move(disk)) {}

Result<std::unique_ptr<FilesSink>> FilesSink::open(CdrFilesConfig config,
                                                   std::shared_ptr<Disk> disk) {
  if (config.folder.empty() || config.folder.ends_with('/')) {
    return Error{ErrorCode::invalid_argument, "folder \"" + config.folder + "\" named none"};
  }
  if (config.interval_s < 60 || config.interval_s > 86'400) {
    return Error{ErrorCode::invalid_argument,
                 "interval_s " + std::to_string(config.interval_s) + " was not in 60..86400"};
  }
  std::unique_ptr<FilesSink> sink(new FilesSink(std::move(config), std::move(disk)));
  const std::string& folder = sink->config_.folder;
  if (auto made = sink->disk_->make_folder(folder); !made) return std::move(made).error();
  auto lock = sink->disk_->lock(folder + "/.lock");
  if (!lock) return std::move(lock).error();
  sink->lock_ = std::move(*lock);
  if (auto loaded = sink->load(); !loaded) return std::move(loaded).error();
  return sink;
}

/// One line: place, stage, interval, number, length, records, layout.
Result<void> FilesSink::load() {
  auto content = read_replaced_file(*disk_, path(".position"));
  if (!content && content.error().code == ErrorCode::not_found) return {};
  if (!content) return std::move(content).error();
  std::vector<std::int64_t> numbers;
  std::string_view rest = *content;
  if (rest.ends_with('\n')) rest.remove_suffix(1);
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find(' '), rest.size());
    const auto number = parse_integer<std::int64_t>(rest.substr(0, end));
    if (!number) break;
    numbers.push_back(*number);
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  // Earlier releases did not write the layout.
  if (numbers.size() == 6) numbers.push_back(static_cast<std::int64_t>(config_.layout));
  if (!rest.empty() || numbers.size() != 7 || numbers[1] < 0 || numbers[1] > 2 || numbers[3] < 1 ||
      numbers[4] < 0 || numbers[5] < 0 || numbers[6] < 0 || numbers[6] > 1)
    return Error{ErrorCode::corrupt, "\"" + path(".position") + "\" was not readable"};
  state_ = {static_cast<std::uint64_t>(numbers[0]),
            static_cast<Stage>(numbers[1]),
            numbers[2],
            static_cast<std::uint32_t>(numbers[3]),
            static_cast<std::uint64_t>(numbers[4]),
            static_cast<std::uint32_t>(numbers[5]),
            static_cast<CsvLayout>(numbers[6])};
  // Lines of another layout do not go into it.
  if (state_.stage == Stage::open && state_.layout != config_.layout) return complete();
  return state_.stage == Stage::complete ? give_name() : Result<void>();
}

Result<void> FilesSink::save(const State& state) {
  std::string line;
  for (const std::int64_t number :
       {static_cast<std::int64_t>(state.position), static_cast<std::int64_t>(state.stage),
        state.slot_s, std::int64_t{state.number}, static_cast<std::int64_t>(state.length_bytes),
        std::int64_t{state.records}, static_cast<std::int64_t>(state.layout)}) {
    if (!line.empty()) line += ' ';
    append_integer(line, number);
  }
  if (auto done = replace_file(*disk_, path(".position"), line + "\n"); !done) {
    is_uncertain_ = true;
    return done;
  }
  state_ = state;
  is_uncertain_ = false;
  return {};
}

/// Before anything is touched: what failed before is made good, so that the disk has no state by
/// which bytes count that are about to be cut off.
Result<void> FilesSink::settle() {
  if (is_uncertain_) {
    if (auto done = save(state_); !done) return done;
  }
  return state_.stage == Stage::complete ? give_name() : Result<void>();
}

std::int64_t FilesSink::slot_of(const Cdr& cdr) const {
  const std::int64_t ended_s = std::max<std::int64_t>(cdr.ended_at_us, 0) / second_us;
  return ended_s - ended_s % config_.interval_s;
}

std::string FilesSink::name() const {
  return digits_of(state_.slot_s) +
         (state_.number > 1 ? "-" + std::to_string(state_.number) : std::string()) +
         std::string(extension_of(state_.layout));
}

/// Highest number of the files of an interval that are there, complete or not; 0: none is.
Result<std::uint32_t> FilesSink::last_number(std::int64_t slot_s) {
  auto names = disk_->list(config_.folder);
  if (!names) return std::move(names).error();
  const std::string time = digits_of(slot_s);
  std::uint32_t last = 0;
  for (std::string_view each : *names) {
    constexpr std::string_view part = ".part";
    if (each.ends_with(part)) each.remove_suffix(part.size());
    const auto order = order_of(each, extension_of(config_.layout));
    if (order && order->time == time) last = std::max(last, order->number);
  }
  return last;
}

/// Puts a file on record before it is touched. REQUIRES: none is open.
Result<void> FilesSink::begin(std::int64_t slot_s) {
  // Files of its interval may be there from before the clock was set back, or be taken already.
  auto last = last_number(slot_s);
  if (!last) return std::move(last).error();
  State next = state_;
  next.number = std::max(*last, slot_s == state_.slot_s ? state_.number : 0U) + 1;
  next.slot_s = slot_s;
  next.layout = config_.layout;
  next.stage = Stage::open;
  next.length_bytes = 0;
  next.records = 0;
  return save(next);
}

Result<void> FilesSink::write_lines(std::string_view lines, std::uint32_t records,
                                    std::uint64_t through) {
  State next = state_;
  next.position = through;
  if (!lines.empty()) {
    auto file = disk_->open(part_path(), Disk::Open::create);
    if (!file) return std::move(file).error();
    auto size = (*file)->size_bytes();
    if (!size) return std::move(size).error();
    if (*size > state_.length_bytes) {  // left by a batch that failed or died in the middle
      if (auto done = (*file)->truncate(state_.length_bytes); !done) return done;
    }
    next.length_bytes = std::min(*size, state_.length_bytes);  // less: somebody shortened it
    std::string text;
    if (next.length_bytes == 0 && config_.header && config_.layout == CsvLayout::csv)
      text = csv_header() + "\r\n";
    text += lines;
    if (auto done = (*file)->write_at(next.length_bytes, text); !done) return done;
    if (auto done = (*file)->sync(); !done) return done;
    if (state_.records == 0) {
      if (auto done = disk_->sync_folder(config_.folder); !done) return done;
    }
    next.length_bytes += text.size();
    next.records += records;
  }
  return save(next);
}

Result<void> FilesSink::complete() {
  auto file = disk_->open(part_path(), Disk::Open::write);
  if (!file && file.error().code != ErrorCode::not_found) return std::move(file).error();
  if (file) {
    auto size = (*file)->size_bytes();
    if (!size) return std::move(size).error();
    if (*size > state_.length_bytes) {
      if (auto done = (*file)->truncate(state_.length_bytes); !done) return done;
      if (auto done = (*file)->sync(); !done) return done;
    }
  }
  State next = state_;
  next.stage = Stage::complete;
  if (auto done = save(next); !done) return done;
  if (auto done = give_name(); !done) return done;
  return remove_oldest();
}

Result<void> FilesSink::give_name() {
  auto renamed = disk_->rename(part_path(), path(name()));
  // Gone: it has its name already, or an operator took it as it was.
  if (!renamed && renamed.error().code != ErrorCode::not_found) return renamed;
  if (auto done = disk_->sync_folder(config_.folder); !done) return done;
  State next = state_;
  next.stage = Stage::none;
  return save(next);
}

Result<void> FilesSink::remove_oldest() {
  if (config_.files_max == 0) return {};
  auto names = disk_->list(config_.folder);
  if (!names) return std::move(names).error();
  const std::string_view extension = extension_of(config_.layout);
  std::vector<std::pair<FileOrder, std::string>> files;
  for (std::string& each : *names) {
    if (auto order = order_of(each, extension)) files.emplace_back(*order, std::move(each));
  }
  if (files.size() <= config_.files_max) return {};
  std::sort(files.begin(), files.end());
  files.resize(files.size() - config_.files_max);
  for (const auto& [order, each] : files) {
    auto removed = disk_->remove(path(each));
    if (!removed && removed.error().code != ErrorCode::not_found) return removed;
  }
  return {};
}

Result<std::uint64_t> FilesSink::position() { return state_.position; }

Result<void> FilesSink::write_batch(std::span<const RecordView> records, std::uint64_t through) {
  if (auto done = settle(); !done) return done;
  std::string lines;
  std::uint32_t count = 0;  // of records in `lines`
  std::uint64_t written_through = state_.position;
  for (const RecordView& view : records) {
    // Each file of a batch is on record by itself, so one that failed later offers these again.
    if (view.type != RecordType::end || view.sequence <= state_.position) continue;
    auto record = decode_end(view.payload, view.sequence);
    if (!record) return std::move(record).error();
    const Cdr& cdr = record->cdr;
    if (cdr.answered_at_us == 0 && !config_.unanswered) continue;
    const std::int64_t slot_s = std::max(slot_of(cdr), state_.slot_s);
    const bool is_full = config_.records_max != 0 && state_.records + count >= config_.records_max;
    if (state_.stage == Stage::open && (slot_s > state_.slot_s || is_full)) {
      if (auto done = write_lines(lines, count, written_through); !done) return done;
      lines.clear();
      count = 0;
      if (auto done = complete(); !done) return done;
    }
    if (state_.stage != Stage::open) {
      if (auto done = begin(slot_s); !done) return done;
    }
    lines += config_.layout == CsvLayout::pipe ? to_pipe_row(cdr) + "\n" : to_csv_row(cdr) + "\r\n";
    ++count;
    written_through = view.sequence;
  }
  return write_lines(lines, count, std::max(through, state_.position));
}

Result<void> FilesSink::idle(std::int64_t wall_us) {
  constexpr std::int64_t grace_s = 60;
  if (auto done = settle(); !done) return done;
  const std::int64_t now_s = wall_us / second_us;
  // A call that ended while the clock stood in the future must not hold all that come after it.
  const bool is_ahead = state_.slot_s > now_s + config_.interval_s;
  const bool is_over = now_s >= state_.slot_s + config_.interval_s + grace_s;
  if (state_.stage == Stage::open && (is_ahead || is_over)) {
    if (auto done = complete(); !done) return done;
  }
  if (!is_ahead) return {};
  State next = state_;
  next.slot_s = -1;
  next.number = 1;
  return save(next);
}

}  // namespace tandem::cdr

namespace tandem {

Result<std::unique_ptr<CdrSink>> make_cdr_files_sink(CdrFilesConfig config) {
  auto sink = cdr::FilesSink::open(std::move(config), std::make_shared<cdr::PosixDisk>());
  if (!sink) return std::move(sink).error();
  return std::unique_ptr<CdrSink>(std::move(*sink));
}

}  // namespace tandem
