//! Downloads from a local server: the files that arrive, the archives that are rejected, and that an
//! error leaves no file behind.
#![cfg(feature = "download")]

use std::io::{Read, Seek, Write};
use std::net::TcpListener;
use std::path::Path;
use std::thread;

use assert_cmd::Command;
use zip::write::SimpleFileOptions;

/// Answers every request with `response`. Returns the address, without a slash at its end.
fn serve(response: Vec<u8>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/archive", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = [0; 2048];
            let read = stream.read(&mut request).unwrap();
            let asked = String::from_utf8_lossy(&request[..read]);
            assert!(asked.starts_with("GET /archive/Tiny.zip "), "{asked}");
            // The client may have gone away.
            let _ = stream.write_all(&response);
        }
    });
    address
}

fn ok(body: &[u8], declared: usize) -> Vec<u8> {
    let head =
        format!("HTTP/1.1 200 OK\r\nContent-Length: {declared}\r\nConnection: close\r\n\r\n");
    [head.as_bytes(), body].concat()
}

fn archive(entries: &[(&str, &str)]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(vec![]));
    for (name, text) in entries {
        zip.start_file(*name, SimpleFileOptions::default()).unwrap();
        zip.write_all(text.as_bytes()).unwrap();
    }
    let mut bytes = zip.finish().unwrap();
    bytes.rewind().unwrap();
    bytes.into_inner()
}

const SERIES: &str = "@classLabel true a b\n@data\n1,2:a\n3:b\n";
const TINY: [(&str, &str); 5] = [
    ("Tiny/", ""),
    ("Tiny/Tiny_TRAIN.ts", SERIES),
    ("Tiny_TEST.ts", SERIES),
    ("Tiny.txt", "about it"),
    // A file of another data set would replace that one's.
    ("Tiny/Other_TRAIN.ts", SERIES),
];

fn download(folder: &Path, url: &str) -> (i32, String, String) {
    let words = ["download", "Tiny", "--data", "data", "--url", url];
    let output = Command::cargo_bin("ragged").unwrap().current_dir(folder).args(words).output();
    let output = output.unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

fn files(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_data_set_arrives_and_its_sum_is_recorded() {
    let folder = tempfile::tempdir().unwrap();
    let zip = archive(&TINY);
    let (code, stdout, stderr) = download(folder.path(), &(serve(ok(&zip, zip.len())) + "/"));
    assert_eq!(code, 0, "{stderr}");
    assert!(stdout.starts_with("archive   Tiny.zip, SHA-256 "), "{stdout}");
    let data = folder.path().join("data");
    assert_eq!(files(&data), ["Tiny.zip.sha256", "Tiny_TEST.ts", "Tiny_TRAIN.ts"]);
    assert_eq!(std::fs::read_to_string(data.join("Tiny_TRAIN.ts")).unwrap(), SERIES);
    let sum = std::fs::read_to_string(data.join("Tiny.zip.sha256")).unwrap();
    assert!(stdout.contains(&sum[..64]) && sum.ends_with("  Tiny.zip\n"), "{sum}");

    // A data set is not downloaded twice.
    let (code, stdout, _) = download(folder.path(), "http://127.0.0.1:9");
    assert_eq!((code, stdout.as_str()), (0, "data already contains Tiny\n"));
    // Another archive under the same name is rejected.
    std::fs::remove_file(data.join("Tiny_TEST.ts")).unwrap();
    let other = archive(&TINY[..3]);
    let (code, _, stderr) = download(folder.path(), &serve(ok(&other, other.len())));
    assert_eq!(code, 1);
    assert!(
        stderr.contains("Tiny.zip.sha256: expected ") && stderr.contains("delete this file"),
        "{stderr}"
    );
    assert_eq!(files(&data), ["Tiny.zip.sha256", "Tiny_TRAIN.ts"]);
}

/// An error is one line and the exit code 1, and leaves no file or folder behind.
#[test]
fn errors_leave_no_file_behind() {
    #[track_caller]
    fn check(response: Vec<u8>, part: &str) {
        let folder = tempfile::tempdir().unwrap();
        let (code, stdout, stderr) = download(folder.path(), &serve(response));
        assert_eq!((code, stdout.as_str()), (1, ""), "{stderr}");
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
        assert!(stderr.contains(part), "{stderr} lacks {part}");
        assert_eq!(files(folder.path()), Vec::<String>::new(), "{part}");
    }
    let whole = |entries: &[(&str, &str)]| {
        let zip = archive(entries);
        ok(&zip, zip.len())
    };
    check(
        b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".to_vec(),
        "404",
    );
    let zip = archive(&TINY);
    check(ok(&zip[..zip.len() / 2], zip.len()), "Tiny.zip: ");
    check(ok(b"<html>", 6), "not a zip file");
    check(ok(&zip[..zip.len() / 2], zip.len() / 2), "not a zip file");
    check(whole(&TINY[..2]), "expected the file Tiny_TEST.ts, got none");
    check(whole(&[TINY[1], TINY[2], ("../evil.ts", SERIES)]), "../evil.ts: expected a path within");
    check(
        whole(&[TINY[1], TINY[2], ("/etc/evil.ts", SERIES)]),
        "expected a path within the folder",
    );
    check(
        whole(&[TINY[1], TINY[2], ("a/../../evil", SERIES)]),
        "expected a path within the folder",
    );
    check(whole(&[TINY[1], TINY[2], ("C:\\evil.ts", SERIES)]), "expected a path within the folder");
    check(whole(&[TINY[1], TINY[2], ("Tiny_TEST.ts/x/Tiny_TEST.ts", "")]), "twice");
    check(
        whole(&[("Tiny_TRAIN.ts", "<html>"), TINY[2]]),
        "Tiny_TRAIN.ts: line 1, column 1: expected a line that begins with @",
    );
    // One changed byte of the compressed data contradicts the checksum of the archive.
    let mut damaged = archive(&[("Tiny_TRAIN.ts", SERIES), TINY[2]]);
    let place = damaged.windows(2).position(|pair| pair == b"ts").unwrap() + 8;
    damaged[place] ^= 0x10;
    check(ok(&damaged, damaged.len()), "archive: ");
    let folder = tempfile::tempdir().unwrap();
    let (code, _, stderr) = download(folder.path(), "http://127.0.0.1:9");
    assert_eq!((code, stderr.lines().count()), (1, 1), "{stderr}");
    assert_eq!(files(folder.path()), Vec::<String>::new());
}

#[test]
fn names_cannot_be_paths() {
    let output = Command::cargo_bin("ragged").unwrap().args(["download", "../x"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
}

/// A server that is silent once kept the program until the connection ended.
#[test]
#[cfg(unix)]
fn a_signal_ends_a_download_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/archive", listener.local_addr().unwrap());
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_ragged"));
    command.current_dir(folder.path()).args(["download", "Tiny", "--url", &url]);
    let mut child = command.spawn().unwrap();
    let (mut stream, _) = listener.accept().unwrap();
    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nPK").unwrap();
    thread::sleep(std::time::Duration::from_millis(200));
    let words = ["-s", "INT", &child.id().to_string()];
    assert!(std::process::Command::new("kill").args(words).status().unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert_eq!(files(folder.path()), Vec::<String>::new());
}
