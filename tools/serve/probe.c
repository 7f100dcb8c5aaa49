// Asks a server for a path again and again, on a new connection each time, until the given seconds have passed; prints
// how long the answers took as JSON. A process of its own, so that no other work delays its clock.
//
//   cc -O2 -o probe probe.c;  probe IPV4-ADDRESS PORT PATH SECONDS [MILLISECONDS-BETWEEN]
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static int ascending(const void *left, const void *right) {
    double difference = *(const double *)left - *(const double *)right;
    return (difference > 0) - (difference < 0);
}

// Whether the server answered with status 200.
static int ask(const struct sockaddr_in *address, const char *request) {
    char answer[1 << 16];
    int connection = socket(AF_INET, SOCK_STREAM, 0), is_good = 0;
    if (connect(connection, (const struct sockaddr *)address, sizeof *address) == 0 &&
        send(connection, request, strlen(request), MSG_NOSIGNAL) == (ssize_t)strlen(request)) {
        ssize_t count = recv(connection, answer, sizeof answer, 0);
        is_good = count > 12 && !strncmp(answer + 9, "200", 3);
        while (count > 0) count = recv(connection, answer, sizeof answer, 0);
    }
    close(connection);
    return is_good;
}

int main(int argc, char **argv) {
    struct sockaddr_in address = {.sin_family = AF_INET};
    if (argc < 5 || !inet_aton(argv[1], &address.sin_addr)) {
        fprintf(stderr, "usage: probe IPV4-ADDRESS PORT PATH SECONDS [MILLISECONDS-BETWEEN]\n");
        return 2;
    }
    address.sin_port = htons((unsigned short)atoi(argv[2]));
    double end = now() + atof(argv[4]), pause = argc > 5 ? atof(argv[5]) : 10;
    char request[512];
    snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: %s:%s\r\nConnection: close\r\n\r\n", argv[3], argv[1], argv[2]);
    static double times[1 << 20];
    size_t count = 0, failures = 0;
    while (now() < end && count < sizeof times / sizeof *times) {
        double start = now();
        if (ask(&address, request)) times[count++] = now() - start; else failures++;
        struct timespec rest = {.tv_nsec = (long)(1e6 * pause)};
        nanosleep(&rest, NULL);
    }
    if (!count) {
        fprintf(stderr, "probe: no answer\n");
        return 1;
    }
    qsort(times, count, sizeof *times, ascending);
    printf("{\"count\":%zu,\"failures\":%zu,\"median_ms\":%.3f,\"p99_ms\":%.3f,\"slowest_ms\":%.3f}\n", count, failures,
        1e3 * times[count / 2], 1e3 * times[count * 99 / 100], 1e3 * times[count - 1]);
    return 0;
}
