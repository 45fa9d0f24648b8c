/// The wall between mathematics and the server: included last by every .cpp of core and format.
///
/// core and format must compile, run and be tested without a server; a server header that slips in
/// (through another header, say) would bring macros that rename printf and jumps over C++ frames.
#ifdef POSTGRES_H
#error "core and format must not see PostgreSQL: move this code to src/pg"
#endif
