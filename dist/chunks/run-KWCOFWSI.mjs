import{createRequire as __createRequire}from'node:module';const require=__createRequire(import.meta.url);
import{cacheFolder,main,referenceOf,runImage}from"./chunk-RPT2EAMH.mjs";import"./chunk-SVZDKJR4.mjs";import"./chunk-ZPVBRTWI.mjs";import"./chunk-M2YQ7TCH.mjs";import"./chunk-PLGI4CXG.mjs";export{cacheFolder,main,referenceOf,runImage};
