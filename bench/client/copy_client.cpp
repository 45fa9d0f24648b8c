/// Times one COPY through the connection, with as little work of its own as libpq allows.
///
///     copy_client CONNINFO BEFORE SQL [FILE]
///
/// BEFORE is a statement to run first on the same connection, not timed; it may be empty.
/// SQL is a COPY: FROM STDIN sends FILE, which is mapped into memory before the clock starts;
/// TO STDOUT discards the data, or writes it to FILE if one is named.
///
/// Prints `SECONDS BYTES`: from sending the command to its end, the commit included, and the bytes
/// of data.

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <optional>
#include <string>
#include <string_view>

#include "connection.hpp"

namespace nearest::bench {
namespace {

/// Bytes handed to libpq at once: large enough that calls cost nothing, small enough for the cache.
constexpr std::size_t kSendBytes = 256 * 1024;

/// A whole file, read-only and already in memory. Stays mapped until the program ends.
std::string_view map_file(const char* path) {
  const int file = open(path, O_RDONLY);
  if (file < 0) throw std::runtime_error(std::string("cannot open ") + path);
  const std::size_t bytes = std::filesystem::file_size(path);
  void* data = mmap(nullptr, bytes, PROT_READ, MAP_PRIVATE | MAP_POPULATE, file, 0);
  close(file);
  if (data == MAP_FAILED) throw std::runtime_error(std::string("cannot map ") + path);
  return {static_cast<const char*>(data), bytes};
}

/// Reads the end of a command: its last result, then nothing.
void finish(PGconn* connection) {
  while (const Result result{PQgetResult(connection)}) check(connection, result.get());
}

std::size_t send(PGconn* connection, std::string_view data) {
  for (std::size_t at = 0; at < data.size(); at += kSendBytes) {
    const std::string_view block = data.substr(at, kSendBytes);
    if (PQputCopyData(connection, block.data(), static_cast<int>(block.size())) != 1)
      throw std::runtime_error(one_line(PQerrorMessage(connection)));
  }
  if (PQputCopyEnd(connection, nullptr) != 1)
    throw std::runtime_error(one_line(PQerrorMessage(connection)));
  return data.size();
}

std::size_t receive(PGconn* connection, std::ofstream* out) {
  std::size_t bytes = 0;
  char* row;
  int length;
  while ((length = PQgetCopyData(connection, &row, 0)) > 0) {
    bytes += static_cast<std::size_t>(length);
    if (out != nullptr) out->write(row, length);
    PQfreemem(row);
  }
  return bytes;
}

int run(const char* conninfo, const char* before, const char* sql, const char* path) {
  const Connection connection = connect(conninfo);
  if (*before != '\0') {
    const Result done(PQexec(connection.get(), before));
    check(connection.get(), done.get());
  }
  const bool is_input = std::string_view(sql).find("FROM STDIN") != std::string_view::npos;
  std::string_view input;
  std::optional<std::ofstream> output;
  if (is_input) {
    if (path == nullptr) throw std::runtime_error("COPY FROM STDIN needs a file");
    input = map_file(path);
  } else if (path != nullptr) {
    output.emplace(path, std::ios::binary).exceptions(std::ios::failbit | std::ios::badbit);
  }

  const auto begin = std::chrono::steady_clock::now();
  std::size_t bytes = 0;
  const Result started(PQexec(connection.get(), sql));
  switch (PQresultStatus(started.get())) {
    case PGRES_COPY_IN:
      bytes = send(connection.get(), input);
      break;
    case PGRES_COPY_OUT:
      bytes = receive(connection.get(), output ? &*output : nullptr);
      break;
    default:
      check(connection.get(), started.get());
  }
  finish(connection.get());
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
  std::printf("%.9f %zu\n", seconds.count(), bytes);
  return 0;
}

}  // namespace
}  // namespace nearest::bench

int main(int argc, char** argv) {
  if (argc != 4 && argc != 5) {
    std::cerr << "usage: copy_client CONNINFO BEFORE SQL [FILE]\n";
    return 2;
  }
  try {
    return nearest::bench::run(argv[1], argv[2], argv[3], argc == 5 ? argv[4] : nullptr);
  } catch (const std::exception& failure) {
    std::cerr << failure.what() << '\n';
    return 1;
  }
}
