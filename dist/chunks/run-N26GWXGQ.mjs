import{createRequire as __createRequire}from'node:module';const require=__createRequire(import.meta.url);
import{cacheFolder,main,referenceOf,runImage}from"./chunk-42NYLJ7S.mjs";import"./chunk-NC57MBOZ.mjs";import"./chunk-G67FER4F.mjs";import"./chunk-M2YQ7TCH.mjs";import"./chunk-PLGI4CXG.mjs";export{cacheFolder,main,referenceOf,runImage};
