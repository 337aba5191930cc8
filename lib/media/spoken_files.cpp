// What of spoken phrases is on the disk: grammars of users, and the files of a voice.
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>

#include "tandem/spoken.hpp"

namespace tandem {

Result<SpokenGrammar> SpokenGrammar::load(const std::string& source) {
  if (source.find('/') == std::string::npos) return built_in(source);
  std::ifstream in(source, std::ios::binary);
  if (!in) return Error{ErrorCode::io, "grammar file \"" + source + "\" could not be opened"};
  std::string text(text_bytes_max + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(in.gcount()));
  auto grammar = parse(text);
  if (!grammar)
    return Error{grammar.error().code,
                 "grammar file \"" + source + "\": " + grammar.error().message};
  return grammar;
}

Result<std::string> spoken_file(std::string_view name, const std::string& folder) {
  std::string first;
  for (std::string_view rest = name;;) {
    const auto bar = rest.find('|');
    const std::string_view one = rest.substr(0, bar);
    if (one.empty()) return std::string();
    std::string path = folder + '/' + std::string(one) + ".wav";
    std::error_code failed;
    if (std::filesystem::is_regular_file(path, failed)) return path;
    if (first.empty()) first = std::move(path);
    if (bar == std::string_view::npos) break;
    rest.remove_prefix(bar + 1);
  }
  return Error{ErrorCode::io, "sound file \"" + first + "\" was not there"};
}

Result<std::vector<std::string>> spoken_files(const SpokenPhrase& phrase,
                                              const std::string& folder) {
  std::vector<std::string> paths;
  for (const std::string& name : phrase) {
    auto path = spoken_file(name, folder);
    if (!path) return path.error();
    if (!path->empty()) paths.push_back(std::move(*path));
  }
  return paths;
}

}  // namespace tandem
