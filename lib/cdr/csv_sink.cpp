#include "cdr/csv_sink.hpp"

#include <algorithm>

#include "base/text.hpp"
#include "cdr/cdr_text.hpp"

namespace tandem::cdr {
namespace {

constexpr std::size_t header_bytes_max = 4096;

/// Cuts `file` to `length_bytes` when it is longer, and returns its length; less when somebody
/// shortened it.
Result<std::uint64_t> cut(DiskFile& file, std::uint64_t length_bytes) {
  auto size = file.size_bytes();
  if (!size) return size;
  if (*size <= length_bytes) return size;
  if (auto done = file.truncate(length_bytes); !done) return std::move(done).error();
  return length_bytes;
}

}  // namespace

CsvSink::CsvSink(CsvSinkConfig config, std::shared_ptr<Disk> disk)
    : config_(std::move(config)), disk_(std::move(disk)) {
  if (config_.hourly) {
    folder_ = config_.path;
  } else {
    const std::size_t slash = config_.path.rfind('/');
    folder_ =
        slash == std::string::npos ? "." : config_.path.substr(0, std::max<std::size_t>(slash, 1));
  }
  position_path_ = config_.path + ".position";
}

Result<std::unique_ptr<CsvSink>> CsvSink::open(CsvSinkConfig config, std::shared_ptr<Disk> disk) {
  if (config.path.empty() || config.path.ends_with('/')) {
    return Error{ErrorCode::invalid_argument, "path \"" + config.path + "\" named no file"};
  }
  std::unique_ptr<CsvSink> sink(new CsvSink(std::move(config), std::move(disk)));
  if (sink->config_.hourly) {
    if (auto made = sink->disk_->make_folder(sink->config_.path); !made)
      return std::move(made).error();
  }
  auto lock = sink->disk_->lock(sink->config_.path + ".lock");
  if (!lock) return std::move(lock).error();
  sink->lock_ = std::move(*lock);
  if (auto loaded = sink->load(); !loaded) return std::move(loaded).error();
  return sink;
}

Result<void> CsvSink::load() {
  auto content = read_replaced_file(*disk_, position_path_);
  if (!content && content.error().code == ErrorCode::not_found) return {};
  if (!content) return std::move(content).error();
  std::string_view rest = *content;
  const auto bad = [this] {
    return Error{ErrorCode::corrupt, "\"" + position_path_ + "\" was not readable"};
  };
  const auto take_line = [&rest] {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    const std::string_view line = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    return line;
  };
  const auto place = parse_integer<std::uint64_t>(take_line());
  if (!place) return bad();
  position_ = *place;
  while (!rest.empty()) {
    const std::string_view line = take_line();
    const std::size_t space = line.find(' ');
    if (space == std::string_view::npos) return bad();
    const auto length = parse_integer<std::uint64_t>(line.substr(0, space));
    TextFile file{std::string(line.substr(space + 1)), length.value_or(0)};
    if (!length || file.name.empty() || file.name.find('/') != std::string::npos) return bad();
    auto opened = disk_->open(folder_ + "/" + file.name, Disk::Open::write);
    if (!opened && opened.error().code != ErrorCode::not_found) return std::move(opened).error();
    if (!opened) continue;
    auto kept = cut(**opened, file.length_bytes);
    if (!kept) return std::move(kept).error();
    file.length_bytes = *kept;
    files_.push_back(std::move(file));
  }
  return {};
}

Result<void> CsvSink::save(const std::vector<TextFile>& files, std::uint64_t through) {
  std::string content = std::to_string(through) + "\n";
  for (const TextFile& file : files) {
    content += std::to_string(file.length_bytes) + " " + file.name + "\n";
  }
  return replace_file(*disk_, position_path_, content);
}

std::string CsvSink::name_for(const Cdr& cdr) const {
  if (!config_.hourly) return config_.path.substr(config_.path.rfind('/') + 1);
  std::string name;
  for (char c : format_time_us(cdr.ended_at_us).substr(0, 13)) {
    if (c >= '0' && c <= '9') name += c;
  }
  return name + (config_.layout == CsvLayout::pipe ? ".txt" : ".csv");
}

/// Of rows that are appended to a file, which may be older than this version.
Result<std::size_t> CsvSink::columns_of(const std::string& name) {
  std::string begin;
  const auto listed = std::find_if(files_.begin(), files_.end(),
                                   [&](const TextFile& entry) { return entry.name == name; });
  // Of what is behind the length on record nothing stays.
  begin.resize(static_cast<std::size_t>(
      listed == files_.end() ? header_bytes_max
                             : std::min<std::uint64_t>(listed->length_bytes, header_bytes_max)));
  auto file = disk_->open(folder_ + "/" + name, Disk::Open::read);
  if (!file && file.error().code == ErrorCode::not_found) return csv_columns_under("");
  if (!file) return std::move(file).error();
  auto size = (*file)->read_at(0, begin.data(), begin.size());
  if (!size) return std::move(size).error();
  begin.resize(*size);
  return csv_columns_under(begin);
}

Result<std::uint64_t> CsvSink::position() { return position_; }

Result<void> CsvSink::write_batch(std::span<const RecordView> records, std::uint64_t through) {
  std::vector<std::pair<std::string, std::string>> texts;  // file name, lines
  std::vector<std::size_t> columns;                        // of each
  for (const RecordView& view : records) {
    if (view.type != RecordType::end) continue;
    auto record = decode_end(view.payload, view.sequence);
    if (!record) return std::move(record).error();
    if (record->cdr.answered_at_us == 0 && !config_.unanswered) continue;
    const std::string name = name_for(record->cdr);
    auto text = std::find_if(texts.begin(), texts.end(),
                             [&name](const auto& entry) { return entry.first == name; });
    if (text == texts.end()) {
      columns.push_back(csv_columns_under(""));
      if (config_.header && config_.layout == CsvLayout::csv) {
        auto known = columns_of(name);
        if (!known) return std::move(known).error();
        columns.back() = *known;
      }
      text = texts.emplace(texts.end(), name, std::string());
    }
    const std::size_t index = static_cast<std::size_t>(text - texts.begin());
    text->second += config_.layout == CsvLayout::pipe
                        ? to_pipe_row(record->cdr) + "\n"
                        : to_csv_row(record->cdr, columns[index]) + "\r\n";
  }

  // A batch that fails or dies in the middle must find the lengths of before. So a file that is not
  // listed, or is not as long as listed, is put on record before it is touched.
  std::vector<TextFile> files = files_;
  std::vector<std::unique_ptr<DiskFile>> opened;
  bool is_news = false;
  for (const auto& text : texts) {
    auto file = disk_->open(folder_ + "/" + text.first, Disk::Open::create);
    if (!file) return std::move(file).error();
    auto listed = std::find_if(files.begin(), files.end(),
                               [&text](const TextFile& entry) { return entry.name == text.first; });
    TextFile entry{text.first, 0};
    if (listed == files.end()) {
      auto size = (*file)->size_bytes();
      if (!size) return std::move(size).error();
      entry.length_bytes = *size;
      is_news = true;
    } else {
      auto kept = cut(**file, listed->length_bytes);
      if (!kept) return std::move(kept).error();
      is_news |= *kept != listed->length_bytes;
      entry.length_bytes = *kept;
      files.erase(listed);
    }
    files.push_back(std::move(entry));
    opened.push_back(std::move(*file));
  }
  if (files.size() > std::max(files_max, texts.size())) {
    files.erase(files.begin(),
                files.end() - static_cast<std::ptrdiff_t>(std::max(files_max, texts.size())));
  }
  if (is_news) {
    if (auto done = save(files, position_); !done) return done;
    if (auto done = disk_->sync_folder(folder_); !done) return done;
    files_ = files;
  }
  const std::size_t first = files.size() - texts.size();
  for (std::size_t i = 0; i < texts.size(); ++i) {
    TextFile& file = files[first + i];
    std::string& lines = texts[i].second;
    if (file.length_bytes == 0 && config_.header && config_.layout == CsvLayout::csv) {
      lines.insert(0, csv_header() + "\r\n");
    }
    if (auto done = opened[i]->write_at(file.length_bytes, lines); !done) return done;
    if (auto done = opened[i]->sync(); !done) return done;
    file.length_bytes += lines.size();
  }
  if (auto done = save(files, through); !done) return done;
  files_ = std::move(files);
  position_ = through;
  return {};
}

}  // namespace tandem::cdr

namespace tandem {

Result<std::unique_ptr<CdrSink>> make_csv_sink(CsvSinkConfig config) {
  auto sink = cdr::CsvSink::open(std::move(config), std::make_shared<cdr::PosixDisk>());
  if (!sink) return std::move(sink).error();
  return std::unique_ptr<CdrSink>(std::move(*sink));
}

}  // namespace tandem
