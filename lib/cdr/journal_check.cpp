#include "cdr/journal_check.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/text.hpp"
#include "base/text_table.hpp"
#include "cdr/cdr_json.hpp"
#include "cdr/segment.hpp"
#include "cdr/segment_files.hpp"

namespace tandem::cdr {
namespace {

/// A file of the journal, read.
struct Segment {
  JournalSegmentFacts facts;
  std::string content;
  std::optional<SegmentHeader> header;  // nothing: not readable
};

class Checker {
 public:
  Checker(Disk& disk, const std::string& folder) : disk_(disk), folder_(folder) {}

  Result<JournalCheck> run() {
    auto names = disk_.list(folder_);
    if (!names) return std::move(names).error();
    std::vector<std::uint64_t> serials;
    for (const std::string& name : *names) {
      if (const auto serial = serial_of(name, segment_stem)) serials.push_back(*serial);
      check_.spare_files += serial_of(name, spare_stem) ? 1 : 0;
    }
    std::sort(serials.begin(), serials.end());
    std::optional<Segment> current;
    for (std::size_t i = 0; i < serials.size(); ++i) {
      if (!current) {
        auto read = this->read(serials[i]);
        if (!read) return std::move(read).error();
        current = std::move(*read);
      }
      // How far this one goes, the next one tells.
      std::optional<Segment> next;
      if (i + 1 < serials.size()) {
        auto read = this->read(serials[i + 1]);
        if (!read) return std::move(read).error();
        next = std::move(*read);
      }
      walk(*current, next ? next->header : std::nullopt, !next);
      check_.segments.push_back(std::move(current->facts));
      current = std::move(next);
    }
    return std::move(check_);
  }

 private:
  void damaged(const Segment& segment, std::uint64_t offset, const std::string& why) {
    check_.damages.push_back("\"" + segment.facts.file + "\" was damaged at offset " +
                             std::to_string(offset) + ": " + why);
  }

  Result<Segment> read(std::uint64_t serial) {
    Segment segment;
    segment.facts.file = segment_file_name(segment_stem, serial);
    segment.facts.serial = serial;
    auto content = read_file(disk_, folder_ + "/" + segment.facts.file);
    if (!content) return std::move(content).error();
    segment.content = std::move(*content);
    segment.facts.bytes = segment.content.size();
    auto header = decode_header(
        std::string_view(segment.content)
            .substr(0, std::min<std::size_t>(segment.content.size(), segment_header_bytes)));
    if (!header) {
      damaged(segment, 0, header.error().message);
    } else if (header->serial != serial) {
      damaged(segment, 0, "the header told serial " + std::to_string(header->serial));
    } else {
      segment.header = *header;
    }
    return segment;
  }

  void walk(Segment& segment, const std::optional<SegmentHeader>& next, bool is_last) {
    if (!segment.header) {
      reached_.reset();
      return;
    }
    JournalSegmentFacts& facts = segment.facts;
    if (reached_ && *reached_ != segment.header->previous_sequence) {
      damaged(segment, 0,
              "it follows record " + std::to_string(segment.header->previous_sequence) +
                  ", the file before ends with " + std::to_string(*reached_));
    }
    facts.first_record = segment.header->first_sequence;
    facts.last_record = segment.header->previous_sequence;
    std::uint64_t expected = facts.first_record;
    std::uint64_t at = segment_header_bytes;
    const std::string_view bytes = segment.content;
    check_.was_closed = false;
    while (!next || expected <= next->previous_sequence) {
      const ScannedRecord record =
          at < bytes.size() ? scan_record(bytes.substr(static_cast<std::size_t>(at)), facts.serial)
                            : ScannedRecord{};
      if (record.bytes == 0 || record.sequence != expected) break;
      count(record.type, facts);
      check_.was_closed = record.type == RecordType::closed;
      facts.last_record = expected++;
      at += record.bytes;
    }
    facts.bytes_used = at;
    reached_ = facts.last_record;
    if (next && facts.last_record < next->previous_sequence) {
      damaged(segment, at,
              "record " + std::to_string(expected) +
                  " had been durable and was not readable (a later segment follows it)");
      reached_ = next->previous_sequence;  // said once
      return;
    }
    if (!is_last || at >= bytes.size()) return;
    const TornEnd end =
        examine_end(bytes.substr(static_cast<std::size_t>(at)), at, facts.serial, expected);
    check_.torn_records = end.later_records;
    if (end.durable_sequence >= expected) {
      damaged(segment, at,
              "record " + std::to_string(expected) +
                  " had been durable and was not readable (the record at offset " +
                  std::to_string(end.later_offset) + " proves it)");
    }
  }

  static void count(RecordType type, JournalSegmentFacts& facts) {
    switch (type) {
      case RecordType::answer:
        ++facts.answers;
        return;
      case RecordType::mark:
        ++facts.marks;
        return;
      case RecordType::end:
        ++facts.ends;
        return;
      case RecordType::payment:
        ++facts.payments;
        return;
      default:
        ++facts.others;
    }
  }

  Disk& disk_;
  const std::string& folder_;
  JournalCheck check_;
  std::optional<std::uint64_t> reached_;  // last record of the file before; nothing: not known
};

}  // namespace

Result<JournalCheck> check_journal(Disk& disk, const std::string& folder) {
  return Checker(disk, folder).run();
}

}  // namespace tandem::cdr

namespace tandem {

Result<JournalCheck> check_journal(const std::string& folder) {
  cdr::PosixDisk disk;
  // A running writer may recycle a file between its listing and its reading.
  constexpr int attempts_max = 5;
  for (int attempt = 1;; ++attempt) {
    auto check = cdr::check_journal(disk, folder);
    if (check || check.error().code != ErrorCode::not_found || attempt == attempts_max)
      return check;
  }
}

std::string to_table(const JournalCheck& check) {
  TextTable table;
  table.column("FILE");
  for (const char* title :
       {"FIRST", "LAST", "ANSWERS", "MARKS", "ENDS", "PAYMENTS", "OTHERS", "USED", "BYTES"})
    table.column(title, TextTable::Align::right);
  for (const JournalSegmentFacts& s : check.segments) {
    std::vector<std::string> cells = {s.file};
    for (const std::uint64_t number : {s.first_record, s.last_record, s.answers, s.marks, s.ends,
                                       s.payments, s.others, s.bytes_used, s.bytes})
      cells.push_back(std::to_string(number));
    table.row(std::move(cells));
  }
  std::string text = table.to_string();
  for (const std::string& damage : check.damages)
    text += printable_text(damage) + '\n';
  return text;
}

std::string to_json(const JournalCheck& check) {
  std::string text = "{\"ok\":";
  text += check.ok() ? "true" : "false";
  text += ",\"was_closed\":";
  text += check.was_closed ? "true" : "false";
  const auto number = [&text](const char* key, std::uint64_t value) {
    append_integer(text += std::string(",\"") + key + "\":", value);
  };
  number("torn_records", check.torn_records);
  number("spare_files", check.spare_files);
  text += ",\"damages\":[";
  for (std::size_t i = 0; i < check.damages.size(); ++i) {
    if (i > 0) text += ',';
    cdr::append_json_string(text, check.damages[i]);
  }
  text += "],\"segments\":[";
  for (std::size_t i = 0; i < check.segments.size(); ++i) {
    const JournalSegmentFacts& s = check.segments[i];
    text += i > 0 ? ",{\"file\":" : "{\"file\":";
    cdr::append_json_string(text, s.file);
    number("serial", s.serial);
    number("first_record", s.first_record);
    number("last_record", s.last_record);
    number("answers", s.answers);
    number("marks", s.marks);
    number("ends", s.ends);
    number("payments", s.payments);
    number("others", s.others);
    number("bytes_used", s.bytes_used);
    number("bytes", s.bytes);
    text += '}';
  }
  return text += "]}";
}

}  // namespace tandem
