// A traced call as text for people.
#include <algorithm>
#include <cstdio>
#include <string>

#include "tandem/clock.hpp"
#include "tandem/trace.hpp"

namespace tandem {
namespace {

constexpr std::size_t column_chars = 40;  // from one line of the ladder to the next
constexpr std::size_t time_chars = 12;

/// What terminals would take for more than text becomes '?'.
std::string shown(std::string_view text, std::size_t chars_max = std::string::npos) {
  std::string out(text.substr(0, chars_max));
  for (char& c : out) {
    if ((static_cast<unsigned char>(c) < ' ' && c != '\t') || c == 0x7f) c = '?';
  }
  return out;
}

std::string padded(std::string text, std::size_t chars) {
  text.resize(std::max(chars, text.size()), ' ');
  return text;
}

/// "INVITE sip:44@..." without the version, or "200 OK (INVITE)".
std::string label_of(std::string_view message) {
  std::string_view line = first_line(message);
  constexpr std::string_view version = "SIP/2.0";
  if (line.starts_with(version)) {
    line.remove_prefix(std::min(line.size(), version.size() + 1));
    std::string label = shown(line, 24);
    for (const std::string_view name : {"\nCSeq:", "\ncseq:", "\nCSEQ:"}) {
      const std::size_t at = message.find(name);
      if (at == std::string_view::npos) continue;
      std::string_view value = message.substr(at + name.size());
      value = value.substr(0, value.find_first_of("\r\n"));
      const std::size_t blank = value.find_last_of(" \t");
      if (blank != std::string_view::npos) label += " (" + shown(value.substr(blank + 1), 12) + ")";
      break;
    }
    return label;
  }
  if (line.ends_with(version)) line.remove_suffix(std::min(line.size(), version.size() + 1));
  return shown(line, column_chars - 6);
}

std::string arrow(const std::string& label, bool is_to_the_right, bool is_lost) {
  const char stroke = is_lost ? '.' : '-';
  std::string line = label.empty() ? std::string() : " " + label + " ";
  const std::size_t room = column_chars - 3;
  if (line.size() > room) line.resize(room);
  const std::size_t before = (room - line.size()) / 2;
  line = std::string(before, stroke) + line;
  line.resize(room, stroke);
  return is_to_the_right ? line + (is_lost ? "x " : "> ")
                         : " " + std::string(is_lost ? "x" : "<") + line;
}

std::string elapsed(std::int64_t since_us) {
  char text[48];
  const long long ms = static_cast<long long>(std::max<std::int64_t>(since_us, 0) / 1000);
  (void)std::snprintf(text, sizeof text, "%7lld.%03lld  ", ms / 1000, ms % 1000);
  return text;
}

}  // namespace

const char* trace_end_name(TraceEnd end) noexcept {
  switch (end) {
    case TraceEnd::none:
      break;
    case TraceEnd::stopped:
      return "stopped";
    case TraceEnd::time:
      return "time";
    case TraceEnd::calls:
      return "calls";
    case TraceEnd::bytes:
      return "bytes";
  }
  return "";
}

std::string_view first_line(std::string_view message) noexcept {
  const std::size_t begin = message.find_first_not_of("\r\n");
  if (begin == std::string_view::npos) return {};
  message.remove_prefix(begin);
  return message.substr(0, message.find_first_of("\r\n"));
}

Result<std::string> format_traced_call(const TracedCall& call, std::string_view format) {
  if (format == "ladder") return to_ladder(call);
  if (format == "messages") return to_ladder(call, true);
  if (format == "json") return to_json(call);
  if (format == "pcap") return to_pcap(call);
  return Error{ErrorCode::invalid_argument,
               "format \"" + shown(format, 32) + "\" is not one of ladder, messages, json, pcap"};
}

std::string to_ladder(const TracedCall& traced, bool with_messages) {
  const TracedCallView& call = traced.call;
  const std::int64_t start_us =
      traced.entries.empty() ? call.started_at_us : traced.entries.front().at_us;
  std::string page = "call " + std::to_string(call.id) + "  " + format_time_us(start_us) + "\n";
  page += "Call-ID " + shown(call.call_id) + "  caller " + shown(call.caller) + "  callee " +
          shown(call.callee) + "\n";
  page += "customer " + (call.customer_gateway.empty() ? "-" : shown(call.customer_gateway)) +
          "  vendor " + (call.vendor_gateway.empty() ? "-" : shown(call.vendor_gateway)) + "  " +
          (call.ended_at_us == 0 ? std::string("is up") : "ended " + shown(call.end_reason)) + "\n";
  if (call.dropped != 0)
    page += std::to_string(call.dropped) + " messages found no room and are missing\n";
  page += "\n" + padded("seconds", time_chars) + padded(" customer", column_chars) +
          padded("tandem", column_chars) + "vendor\n";
  const std::string gap(column_chars - 1, ' ');
  std::string messages;
  std::size_t number = 0;
  for (const TraceEntry& entry : traced.entries) {
    page += elapsed(entry.at_us - start_us);
    if (entry.kind == TraceEntry::Kind::note) {
      page += "|" + gap + "|  " + shown(entry.topic) + ": " + shown(entry.text, 400) + "\n";
      continue;
    }
    ++number;
    const bool is_customer = entry.side == TraceEntry::Side::customer;
    // To the right is away from the caller.
    const bool is_to_the_right = is_customer != entry.is_sent;
    const std::string line = arrow(label_of(entry.text), is_to_the_right, entry.is_lost);
    std::string where = shown(transport_name(entry.transport)) + ":" + entry.remote.to_string();
    if (!entry.gateway.empty()) where = shown(entry.gateway) + " " + where;
    page += is_customer ? "|" + line + "|" + gap + "|" : "|" + gap + "|" + line + "|";
    page += "  [" + std::to_string(number) + "] " + where + "\n";
    if (!with_messages) continue;
    messages += "\n[" + std::to_string(number) + "] " + elapsed(entry.at_us - start_us) +
                (entry.is_sent ? "to " : "from ") + where + "\n";
    for (const char c : entry.text) {
      if (c == '\r') continue;
      const bool is_text = c == '\n' || c == '\t' || (c != 0x7f && (c < 0 || c >= ' '));
      messages += is_text ? c : '?';
    }
    if (!messages.ends_with('\n')) messages += '\n';
  }
  return page + messages;
}

}  // namespace tandem
